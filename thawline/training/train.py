"""Train a network on rebalanced, augmented rows; what is frozen can be computed once."""

from collections.abc import Callable

import torch

from thawline.errors import UserError
from thawline.models import precision
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.runtime.progress import log
from thawline.training import losses, mixup, out_of_memory
from thawline.training.context import Machine, TrainingData
from thawline.training.cut_inputs import CutNetwork
from thawline.training.distillation import Teacher
from thawline.training.freezing import freeze
from thawline.training.history import Epoch, History
from thawline.training.loop import fit
from thawline.training.losses import Loss
from thawline.training.recipe import Recipe
from thawline.training.resume import Resume


def train(
    network: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Recipe,
    machine: Machine,
    on_epoch: Callable[[int, Epoch], None],
    resume: Resume | None = None,
    teacher: Teacher | None = None,
    *,
    may_keep_start: bool = False,
    start_competes: bool = True,
    ends_below: tuple[float, float] | None = None,
    num_good: int = 0,
) -> History:
    """Train in place; the network ends with the weights of its best epoch, on the CPU.

    With may_keep_start these may be the weights that it came with; start_competes, ends_below and
    num_good are as for `fit`.

    With everything but the head frozen, the trunk's features of each image and view are computed
    once and the head trains on those. With recipe.cache `views`, so does what follows other frozen
    first blocks, if their outputs fit into training.cache_gb; else those blocks run in each epoch,
    without gradients. Blocks that unfreeze later count as trained: their features are not kept
    while they wait.

    Raises:
        UserError: features are computed once, but mixup, cutmix, random erasing or a teacher needs
            pixels; a batch does not fit into memory.
    """
    network.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    frozen = freeze(
        network,
        recipe.trainable,
        recipe.num_blocks,
        keep_statistics=recipe.norm_statistics == "keep",
    )
    chosen = precision.choose(machine.precision, network, machine.device)
    if chosen.reason:
        log(f"{recipe.stage}: training.precision: auto takes {chosen.reason}")
    parts = CutNetwork(network, frozen, card, data, recipe, machine, chosen)
    cached = _is_cached(parts, recipe)
    if cached:
        _check_pixels(recipe, teacher)
    with out_of_memory.translate_errors(recipe, machine.device):
        examples, prepare, validation = parts.cached() if cached else parts.from_images()
        history = fit(
            network[frozen.cut :],
            frozen.after_cut(),
            examples,
            prepare,
            validation,
            recipe,
            loss=loss_of(recipe, data, machine.device),
            device=machine.device,
            precision=chosen.training,
            on_epoch=on_epoch,
            resume=resume,
            teacher=teacher,
            group=machine.group,
            may_keep_start=may_keep_start,
            start_competes=start_competes,
            ends_below=ends_below,
            num_good=num_good,
            compiled=machine.compiled,
        )
    network.cpu().eval()
    return history


def _check_pixels(recipe: Recipe, teacher: Teacher | None) -> None:
    where = f"{recipe.stage}.trainable: {recipe.trainable!r} trains on features computed once"
    if mixup.wanted(recipe):
        raise UserError(
            f"{where}, and mixup_alpha, cutmix_alpha and random_erasing change pixels; allowed: 0"
        )
    if teacher is not None:
        raise UserError(
            f"{where}, and a teacher looks at pixels; allowed with it: distill.weight 0"
        )


def _is_cached(parts: CutNetwork, recipe: Recipe) -> bool:
    if parts.head_alone:
        return True
    if recipe.cache != "views" or not parts.has_trunk:
        return False
    size, fits = parts.num_bytes(), parts.may_be_kept()
    found = f"{recipe.stage}: the frozen blocks' features of all views take {size / 1e9:.2f} GB"
    log(found if fits else f"{found}, more than training.cache_gb: they run in each epoch")
    return fits


def loss_of(recipe: Recipe, data: TrainingData, device: torch.device) -> Loss:
    """Build the recipe's loss with the weights and counts of the data's classes."""
    weights = torch.tensor(data.rows.class_weights, dtype=torch.float32)
    counts = torch.from_numpy(data.manifest.counts("train"))
    return losses.build(recipe, class_weights=weights.to(device), class_counts=counts.to(device))
