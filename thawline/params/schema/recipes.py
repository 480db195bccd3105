"""Sections of the two training stages."""

from typing import Annotated, Literal

from pydantic import Field

from thawline.params.schema.base import Epochs, PathText, Ratio, Section

Trainable = Literal["head", "last_blocks", "first_blocks", "all", "norm", "bias", "auto"]
Optimizer = Literal["adam", "adamw", "sgd", "adagrad", "adadelta", "adam_then_sgd"]


class RecipeSection(Section):
    """Keys that the two training stages share."""

    trainable: Trainable
    """Part that is trained; all else is frozen, batch-norm statistics included. `auto` trains what
    follows the block whose features a linear probe finds the best."""
    num_blocks: Annotated[int, Field(ge=0, le=1000)]
    """Number of blocks of `last_blocks` and `first_blocks`; the head always trains."""
    unfreeze_every: Annotated[int, Field(ge=0, le=10_000)]
    """Epochs from one block to the next, from the head towards the input; 0 trains all at once."""
    norm_statistics: Literal["update", "keep", "auto"]
    """Statistics of batch norm in blocks that train: taken of each batch and learned anew, or kept
    and used; auto: kept where the network is pretrained."""
    epochs: Epochs | Literal["auto"]
    """Epochs at most; auto: by steps and time, see thawline/training/auto_recipe.py."""
    optimizer: Optimizer
    learning_rate: Annotated[float, Field(gt=0, le=100)] | Literal["auto"]
    """Highest rate; auto: about a third of it after each collapse."""
    momentum: Annotated[float, Field(ge=0, lt=1)]
    """Momentum of sgd, with Nesterov's correction; others ignore it."""
    switch: Literal["swats", "plateau", "fixed"]
    """Time of adam_then_sgd's switch: by the projections of its steps, after epochs without a
    better validation macro-F1, or after a number of epochs."""
    switch_epochs: Epochs
    """Number of epochs for `plateau` and `fixed`."""
    switch_learning_rate: Annotated[float, Field(gt=0, le=100)]
    """Learning rate of SGD after the switch; swats finds its own."""
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    schedule: Literal["cosine", "constant", "step", "plateau", "one_cycle"]
    decay_every: Epochs
    """Epochs for step: from one fall of the rate to the next; for plateau: without a better
    score."""
    decay_factor: Annotated[float, Field(gt=0, le=1)]
    """Rate after such a fall over that before it."""
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)]
    """Share of the steps in which the learning rate rises: linearly, or as one_cycle does."""
    loss: Literal["cross_entropy", "focal"]
    focal_gamma: Annotated[float, Field(ge=0, le=10)]
    """Strength by which the focal loss counts easy images less; 0 is cross-entropy."""
    logit_adjustment: Annotated[float, Field(ge=0, le=10)]
    """Tau, the share of the classes' log frequencies in the training logits; 0 switches it off."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | Literal["auto"]
    mixup_alpha: Annotated[float, Field(ge=0, le=100)]
    """Alpha of the beta distribution of the shares of two mixed images; 0 switches it off."""
    cutmix_alpha: Annotated[float, Field(ge=0, le=100)]
    """Alpha of the beta distribution of the area from another image; 0 switches it off."""
    random_erasing: Ratio
    """Probability that a rectangle of an image is erased."""
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    """Learning rate of a block over that of the next one towards the head."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    """Decay per step of the averaged weights that are evaluated and kept; 0 keeps the last ones."""
    clip_norm: Annotated[float, Field(ge=0, le=1e6)]
    """Length to which longer gradients are cut, over all that trains; 0 leaves them."""
    accumulate: Annotated[int, Field(ge=1, le=100_000)]
    """Batches whose gradients make one step: as of one batch so many times as large, in less
    memory; batch norm sees each by itself."""
    patience: Annotated[int, Field(ge=1, le=10_000)]
    """Epochs without a better validation macro-F1 before training stops."""
    cache: Literal["none", "views"]
    """Features to keep; views: frozen first blocks run once per view of augment.views, whose
    features serve all epochs, where they fit into training.cache_gb; below a head alone they always
    do."""


class TransferLearn(RecipeSection):
    """Section `transfer_learn`: training of the head."""

    solver: Literal["auto", "ridge", "gradient"]
    """Way to find a head on a frozen pretrained network: ridge solves it in closed form, gradient
    trains it as the other keys of this section say. auto: ridge where nothing but the head trains,
    which `trainable: auto` then means."""
    levels: Literal["auto", "last"]
    """Features that a ridge head reads: of the group of blocks that is best on rows left out of the
    fit, after which the network is cut, or of what the network's own head would."""
    refit: Literal["auto", "none"]
    """Last fit of a solved head; auto: it is fitted to the validation rows too, and ships where
    fine_tune brings nothing better and compress does not prune."""

    def is_closed_form(self, *, from_scratch: bool) -> bool:
        """Tell whether the head is solved and not trained."""
        frozen = self.trainable in ("head", "auto")
        return frozen and not from_scratch and self.solver != "gradient"


class Distill(Section):
    """Section `fine_tune.distill`: teacher and its weight."""

    checkpoint: PathText
    """Folder of a larger model's checkpoint; `data/none` for no teacher."""
    temperature: Annotated[float, Field(gt=0, le=1000)]
    """Divisor of both networks' logits before they are compared."""
    weight: Ratio
    """Weight of the teacher's probabilities in the loss, that of the labels is the rest; 0: off."""


class FineTune(RecipeSection):
    """Section `fine_tune`: training of more than the head, and distillation."""

    distill: Distill
    """Distillation of a larger network; needs training on images."""
