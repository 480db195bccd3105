"""Images that a GPU keeps from epoch to epoch; where they are kept changes no bit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.unit.training.conftest import small_network
from thawline.dataset.image_store import ImageStore
from thawline.models.checkpoint import ModelConfig
from thawline.models.device import has_room
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe
from thawline.training.train import train

CPU = torch.device("cpu")
EPOCHS = 3


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows that are read of the store, image by image."""
    rows: list[int] = []
    take, one = ImageStore.take, ImageStore.__getitem__

    def taken(store: ImageStore, wanted: np.ndarray) -> np.ndarray:
        rows.extend(wanted.tolist())
        return take(store, wanted)

    def got(store: ImageStore, row: int) -> np.ndarray:
        rows.append(row)
        return one(store, row)

    monkeypatch.setattr(ImageStore, "take", taken)
    monkeypatch.setattr(ImageStore, "__getitem__", got)
    return rows


def trained(
    card: ModelConfig, data: TrainingData, recipe: Recipe
) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    network = small_network()
    torch.manual_seed(5)  # of dropout
    machine = Machine(device=CPU, precision="float32", workers=0, seed=0)
    history = train(network, card, data, recipe, machine, lambda *_: None)
    return history.epochs, network.state_dict()


@pytest.mark.parametrize("augmented", [True, False])
@pytest.mark.parametrize("mixup_alpha", [0.0, 0.2])
def test_images_are_read_once_and_the_bits_are_the_same(
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    read: list[int],
    monkeypatch: pytest.MonkeyPatch,
    mixup_alpha: float,
    augmented: bool,
) -> None:
    chosen = recipe(trainable="all", epochs=EPOCHS, mixup_alpha=mixup_alpha)
    data = data if augmented else replace(data, policy=[])
    epochs, weights = trained(card, data, chosen)
    val = set(data.manifest.rows("val").tolist())
    assert sum(row in val for row in read) == EPOCHS * len(val)
    read.clear()

    def room(num_bytes: int, device: torch.device) -> bool:
        assert num_bytes % (32 * 32 * 3) == 0
        return device == CPU

    # The processor in the part of a GPU.
    monkeypatch.setattr("thawline.training.cut_inputs.has_room", room)
    again, same = trained(card, data, chosen)
    assert again == epochs
    assert all(torch.equal(value, same[name]) for name, value in weights.items())
    assert sum(row in val for row in read) == len(val)
    times = 1 if not augmented and not mixup_alpha else EPOCHS
    train_rows = sum(row not in val for row in read)
    assert times * len(data.indices) <= train_rows <= times * len(data.indices) + 2


def test_a_cpu_keeps_none() -> None:
    assert not has_room(0, CPU)
