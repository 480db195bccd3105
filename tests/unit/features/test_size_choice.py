"""The side of the packed images is the smallest at which a linear head is as good."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.features import size_choice
from thawline.features.size_choice import SizeChoice
from thawline.ingest.image_size import sizes_up_to

LARGEST, COUNT, TEST = 128, 60, 20
SIZES = sizes_up_to(LARGEST)
NAME = "tf_efficientnet_lite0"
Draw = Callable[[np.random.Generator, int], np.ndarray]


def fine(rng: np.random.Generator, label: int) -> np.ndarray:
    """Faint lines of 1 px in noise, upright or level: gone at half the side."""
    lines = np.tile([80.0, 120.0], LARGEST // 2)
    image = np.broadcast_to(lines, (LARGEST, LARGEST))
    image = image if label else image.T
    return image[:, :, None] + rng.normal(0, 40, (LARGEST, LARGEST, 3))


def coarse(rng: np.random.Generator, label: int) -> np.ndarray:
    """Dark or bright."""
    return rng.normal(60 + 120 * label, 5, (LARGEST, LARGEST, 3))


def chosen(
    folder: Path, draw: Draw, *, sizes: tuple[int, ...] = SIZES, test: Draw | None = None
) -> SizeChoice | None:
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT + TEST) % 2
    with StoreWriter(folder, LARGEST) as writer:
        for n, label in enumerate(labels):
            image = (draw if n < COUNT else test or draw)(rng, int(label))
            writer.append(image.clip(0, 255).astype(np.uint8))
    manifest = Manifest(
        classes=("a", "b"), labels=labels, splits=np.array(["train"] * COUNT + ["test"] * TEST),
        sha256=("",) * len(labels), names=("",) * len(labels), groups=(None,) * len(labels),
        widths=np.full(len(labels), LARGEST), heights=np.full(len(labels), LARGEST),
    )  # fmt: skip
    return size_choice.choose(ImageStore(folder), manifest, sizes, name=NAME, seed=0)


def test_the_smallest_where_all_are_as_good(tmp_path: Path) -> None:
    found = chosen(tmp_path, coarse)
    assert found
    assert found.size_px == SIZES[0]
    assert set(found.accuracy) == set(SIZES)
    assert found.num_rows == COUNT
    assert f"{100 * found.accuracy[LARGEST]:.1f} % at {LARGEST} px" in str(found)


def test_a_larger_one_where_the_classes_are_in_the_detail(tmp_path: Path) -> None:
    found = chosen(tmp_path, fine)
    assert found
    assert found.size_px > SIZES[0]
    assert found.accuracy[found.size_px] > found.accuracy[SIZES[0]] + 0.2


def test_test_images_have_no_say(tmp_path: Path) -> None:
    assert chosen(tmp_path / "a", fine) == chosen(tmp_path / "b", fine, test=coarse)


@pytest.mark.parametrize("sizes", [(), (LARGEST,)])
def test_nothing_is_measured_of_one_size(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    assert chosen(tmp_path, coarse, sizes=sizes) is None


def test_nothing_is_measured_by_few_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_choice, "FEWEST_ROWS", COUNT + 1)
    assert chosen(tmp_path, coarse) is None


@pytest.mark.parametrize(("most", "looked_at"), [(1000, 30), (24, 24)])
def test_a_share_of_many_images_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, looked_at: int
) -> None:
    monkeypatch.setattr(size_choice, "ROWS", 10)
    monkeypatch.setattr(size_choice, "SHARE", 0.5)
    monkeypatch.setattr(size_choice, "MOST_ROWS", most)
    found = chosen(tmp_path, coarse)
    assert found
    assert found.num_rows == looked_at
