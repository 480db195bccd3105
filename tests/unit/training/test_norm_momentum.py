"""Short trainings raise the momentum of running statistics, and only there."""

import pytest
import torch
from torch import nn

from tests.unit.training.conftest import recipe_of
from thawline.models import network as networks
from thawline.training import norm_momentum
from thawline.training.freezing import freeze
from thawline.training.train_step import Steps

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("own", "steps", "expected"),
    [(0.01, 300, 0.1), (0.01, 2_000, 0.05), (0.01, 100_000, 0.01), (0.3, 300, 0.3), (0.1, 0, 0.1)],
)
def test_momentum_by_the_number_of_steps(own: float, steps: int, expected: float) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=own))
    norm_momentum.fit_to(network, steps)
    assert network[1].momentum == pytest.approx(expected)


def test_an_average_over_all_batches_stays_one() -> None:
    norm = nn.BatchNorm2d(4, momentum=None)  # type: ignore[arg-type]
    norm_momentum.fit_to(norm, 10)
    assert norm.momentum is None


def test_mobilenet_v3_learns_from_scratch_in_evaluation_mode_too() -> None:
    """With its own momentum of 0.01 it gives one answer for all images after as many steps."""
    torch.manual_seed(0)
    network = networks.build("mobilenet", "mobilenet_v3_small", num_classes=2, dropout=0.0, seed=0)
    frozen = freeze(network, "all")
    labels = torch.arange(16) % 2
    images = torch.randn(16, 3, 32, 32) + 2 * labels.view(-1, 1, 1, 1)
    recipe = recipe_of(trainable="all", epochs=120, learning_rate=0.02, schedule="cosine")
    steps = Steps(
        network, frozen, recipe, len(images), lambda x: x,
        loss=nn.functional.cross_entropy, device=CPU, precision="float32",
    )  # fmt: skip
    for epoch in range(recipe.epochs):
        steps.begin(epoch)
        steps.step([(images, labels)])
    with torch.inference_mode():
        right = steps.evaluated()(images).argmax(dim=1) == labels
    assert right.double().mean() > 0.9
