"""Mixup, cutmix and random erasing: what a batch is, and what it depends on."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from thawline.errors import UserError
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import Machine, TrainingData
from thawline.training.examples import Batch, ImageExamples
from thawline.training.mixup import MixedExamples
from thawline.training.recipe import Recipe
from thawline.training.train import train

CPU = torch.device("cpu")
MEAN = (0.2, 0.4, 0.6)
KINDS = ("mixup_alpha", "cutmix_alpha", "random_erasing")


class Flat:
    """Four batches of 16 images, each of one grey that is a function of its label."""

    def __len__(self) -> int:
        return 64

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        for step in range(4):
            labels = (torch.arange(16) + step + epoch) % 3
            pixels = (100 * labels).to(torch.uint8)[:, None, None, None]
            yield pixels.expand(16, 32, 32, 3).contiguous(), labels


def mixed(**changes: object) -> MixedExamples:
    values: dict[str, object] = dict.fromkeys(KINDS, 0.0)
    values |= {"examples": Flat(), "num_classes": 3, "mean": MEAN, "seed": 0}
    return MixedExamples(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["mixup_alpha", "cutmix_alpha"])
def test_labels_are_the_shares_of_the_pixels(key: str) -> None:
    between = 0
    for images, labels in mixed(**{key: 1.0}).epoch(0):
        assert images.shape == (16, 32, 32, 3)
        assert images.dtype == labels.dtype == torch.float32
        assert torch.allclose(labels.sum(dim=1), torch.ones(16))
        grey = images.mean(dim=(1, 2, 3))
        assert torch.allclose(grey, labels @ torch.tensor([0.0, 100.0, 200.0]), atol=0.01)
        between += int(((labels > 0.01) & (labels < 0.99)).sum())
    assert between > 20, "nothing was mixed"


def test_mixup_mixes_the_whole_image_and_cutmix_a_rectangle() -> None:
    for images, _ in mixed(mixup_alpha=1.0).epoch(0):
        assert (images.amax(dim=(1, 2, 3)) - images.amin(dim=(1, 2, 3)) == 0).all()
    values = {float(v) for images, _ in mixed(cutmix_alpha=1.0).epoch(0) for v in images.unique()}
    assert values == {0.0, 100.0, 200.0}


def test_with_both_each_batch_takes_one() -> None:
    whole = []
    for epoch in range(10):
        for images, _ in mixed(mixup_alpha=1.0, cutmix_alpha=1.0).epoch(epoch):
            whole.append(bool((images == images[:, :1, :1]).all()))
    assert 10 < sum(whole) < 30


@pytest.mark.parametrize(("probability", "least", "most"), [(0.3, 5, 35), (1.0, 64, 64)])
def test_erased_rectangles_have_the_mean_colour_and_the_label_stays(
    probability: float, least: int, most: int
) -> None:
    erased = 0
    for (images, labels), (plain, expected) in zip(
        mixed(random_erasing=probability).epoch(0), Flat().epoch(0), strict=True
    ):
        assert torch.equal(labels, expected)
        changed = (images != plain).any(dim=-1)
        colours = images[changed]
        assert torch.allclose(colours, 255 * torch.tensor(MEAN).expand_as(colours))
        share = changed.float().mean(dim=(1, 2))
        assert share.max() < 0.4
        erased += int((share > 0).sum())
    assert least <= erased <= most


def flattened(examples: MixedExamples, epoch: int) -> torch.Tensor:
    return torch.cat([torch.cat([i.flatten(), m.flatten()]) for i, m in examples.epoch(epoch)])


@pytest.mark.parametrize("keys", [*((key,) for key in KINDS), KINDS])
def test_a_function_of_seed_epoch_and_step(keys: tuple[str, ...]) -> None:
    on = dict.fromkeys(keys, 1.0)
    torch.manual_seed(1)
    first = flattened(mixed(**on), 3)
    torch.manual_seed(2)
    used = mixed(**on)
    flattened(used, 0)
    assert torch.equal(flattened(used, 3), first)
    assert not torch.equal(flattened(mixed(**on), 6), first), "epochs 3 and 6 show equal batches"
    assert not torch.equal(flattened(mixed(**on, seed=1), 3), first)


def test_steps_differ() -> None:
    drawn = [float(labels[1].amax()) for _, labels in mixed(mixup_alpha=1.0).epoch(0)]
    assert len(set(drawn)) == 4


def test_dropout_s_randomness_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for _ in mixed(mixup_alpha=1.0, cutmix_alpha=1.0, random_erasing=0.5).epoch(0):
        assert torch.equal(torch.get_rng_state(), before)


def test_workers_do_not_change_the_batches(data: TrainingData) -> None:
    def batches(workers: int) -> list[Batch]:
        images = ImageExamples(
            data.store, data.rows.indices, data.labels, data.policy,
            batch_size=16, seed=0, workers=workers,
        )  # fmt: skip
        examples = mixed(examples=images, mixup_alpha=0.4, cutmix_alpha=1.0, random_erasing=0.5)
        return list(examples.epoch(1))

    for alone, others in zip(batches(0), batches(2), strict=True):
        assert torch.equal(alone[0], others[0])
        assert torch.equal(alone[1], others[1])


MACHINE = Machine(device=CPU, precision="float32", workers=0, seed=0)


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize(("loss", "tau"), [("cross_entropy", 0.0), ("focal", 1.0)])
def test_training_changes_and_repeats(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe],
    key: str, loss: str, tau: float,
) -> None:  # fmt: skip
    start = {name: value.clone() for name, value in small.state_dict().items()}
    histories = []
    for value in (0.0, 0.5, 0.5):
        small.load_state_dict(start)
        torch.manual_seed(0)  # of dropout
        chosen = recipe(
            trainable="last_blocks", num_blocks=1, loss=loss, logit_adjustment=tau,
            label_smoothing=0.1, **{key: value},
        )  # fmt: skip
        histories.append(train(small, card, data, chosen, MACHINE, lambda *_: None).epochs)
    assert histories[0] != histories[1] == histories[2]
    assert np.isfinite([epoch["train_loss"] for epoch in histories[1]]).all()


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize("trainable", ["head", "last_blocks"])
def test_features_computed_once_are_refused(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe],
    key: str, trainable: str,
) -> None:  # fmt: skip
    chosen = recipe(trainable=trainable, num_blocks=0, **{key: 0.5})
    with pytest.raises(UserError, match=f"fine_tune.trainable: '{trainable}'") as caught:
        train(small, card, data, chosen, MACHINE, lambda *_: None)
    assert key in str(caught.value)
