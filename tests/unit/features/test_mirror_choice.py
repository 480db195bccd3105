"""Images may not be mirrored where left and right are what tells their classes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.unit.training.conftest import SIZE, card_of_digits, small_network
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.features import mirror_choice
from thawline.features.levels import Key, extract, joined
from thawline.features.mirror_choice import Mirroring

COUNT = 80
Draw = Callable[[np.ndarray, int], None]


def to_the_left(image: np.ndarray, label: int) -> None:
    """A bright half: the left one is a class, the right one the other."""
    half = slice(None, SIZE // 2) if label else slice(SIZE // 2, None)
    image[:, half] += 80


def above(image: np.ndarray, label: int) -> None:
    half = slice(None, SIZE // 2) if label else slice(SIZE // 2, None)
    image[half] += 80


def brightness(image: np.ndarray, label: int) -> None:
    image += 80 * label


def measured(folder: Path, draw: Draw, *, group: int = 1, seed: int = 0) -> Mirroring:
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT) // group % 2
    with StoreWriter(folder, SIZE) as writer:
        for label in labels:
            image = rng.normal(80, 15, (SIZE, SIZE, 3))
            draw(image, int(label))
            writer.append(image.clip(0, 255).astype(np.uint8))
    groups = tuple(f"g{i // group}" if group > 1 else None for i in range(COUNT))
    manifest = Manifest(
        classes=("a", "b"), labels=labels, splits=np.array(["train"] * COUNT),
        sha256=("",) * COUNT, names=("",) * COUNT, groups=groups,
        widths=np.full(COUNT, SIZE), heights=np.full(COUNT, SIZE),
    )  # fmt: skip
    body, card = small_network().eval()[:-1], card_of_digits()

    def features(images: np.ndarray) -> dict[Key, np.ndarray]:
        return joined(
            extract(body, [images], card, precision="float32", device=torch.device("cpu"))
        )

    store = ImageStore(folder)
    return mirror_choice.measure(features, store, manifest, np.arange(COUNT), seed=seed)


def test_no_mirror_where_left_and_right_are_the_classes(tmp_path: Path) -> None:
    found = measured(tmp_path, to_the_left)
    assert not found.helps
    assert found.accuracy > 0.9
    assert found.with_copies < 0.7
    assert found.num_rows == COUNT
    assert f"{100 * found.accuracy:.1f} %" in str(found)


@pytest.mark.parametrize("draw", [above, brightness])
@pytest.mark.parametrize("group", [1, 4])
def test_mirrored_where_orientation_says_nothing(tmp_path: Path, draw: Draw, group: int) -> None:
    found = measured(tmp_path, draw, group=group)
    assert found.helps
    assert found.with_copies >= found.accuracy > 0.9


def test_equal_arguments_give_an_equal_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_choice, "MAX_ROWS", 40)
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        runs.append(measured(tmp_path / name, to_the_left))
    assert runs[0] == runs[1]
    assert runs[0].num_rows <= 42
