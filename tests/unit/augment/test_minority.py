"""Extra images of rare classes: how many, of which rows, and what they look like."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.augment._minority import Extras, plan
from thawline.dataset.image_store import ImageStore, StoreWriter

POLICY = [{"name": "Affine", "rotate": [-30, 30], "p": 1.0}]
LABELS = np.repeat([0, 1, 2], [40, 10, 3])
ROWS = np.arange(53)


def after(extras: Extras, indices: np.ndarray) -> list[int]:
    return (np.bincount(LABELS[indices]) + np.bincount(LABELS[extras.rows], minlength=3)).tolist()


@pytest.mark.parametrize(
    ("ratio", "sizes"),
    [(0.0, [40, 10, 3]), (0.2, [40, 10, 8]), (0.5, [40, 20, 20]), (1.0, [40, 40, 40])],
)
def test_rare_classes_grow_to_the_ratio(ratio: float, sizes: list[int]) -> None:
    assert after(plan(ROWS, LABELS, target_ratio=ratio), ROWS) == sizes


def test_a_class_that_rebalancing_filled_up_gets_none() -> None:
    oversampled = np.sort(np.concatenate([ROWS, np.resize(np.arange(40, 50), 30)]))
    extras = plan(oversampled, LABELS, target_ratio=1.0)
    assert set(LABELS[extras.rows]) == {2}
    assert after(extras, oversampled) == [40, 40, 40]


@given(st.lists(st.integers(0, 52), min_size=1, max_size=80), st.floats(0, 1))
def test_sources_are_training_rows_that_take_turns(rows: list[int], ratio: float) -> None:
    indices = np.sort(np.array(rows, dtype=np.int64))
    extras = plan(indices, LABELS, target_ratio=ratio)
    assert set(extras.rows.tolist()) <= set(rows)
    made = list(zip(extras.rows.tolist(), extras.repeats.tolist(), strict=True))
    assert len(set(made)) == len(made), "the same view twice"
    for k in set(LABELS[extras.rows].tolist()):
        uses = [int((extras.rows == r).sum()) for r in set(rows) if LABELS[r] == k]
        assert max(uses) - min(uses) <= 1


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    images = np.random.default_rng(0).integers(0, 256, (53, 16, 16, 3), dtype=np.uint8)
    with StoreWriter(tmp_path / "packed", 16) as writer:
        for image in images:
            writer.append(image)
    return ImageStore(tmp_path / "packed")


def test_extras_follow_the_rows_and_are_new_images(store: ImageStore, tmp_path: Path) -> None:
    extras = plan(ROWS, LABELS, target_ratio=0.5)
    extras.write(tmp_path / "extra", store, POLICY, seed=0)
    both = ImageStore(tmp_path / "packed", tmp_path / "extra")
    assert len(both) == 53 + 27
    assert np.array_equal(both.take(ROWS), store.take(ROWS))
    assert len({both[row].tobytes() for row in range(len(both))}) == len(both)
    read = Extras.read(tmp_path / "extra")
    assert np.array_equal(read.rows, extras.rows)
    assert np.array_equal(read.repeats, extras.repeats)


def test_equal_arguments_give_equal_bytes(store: ImageStore, tmp_path: Path) -> None:
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        plan(ROWS, LABELS, target_ratio=0.5).write(tmp_path / name, store, POLICY, seed=seed)
        found.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert found[0] == found[1] != found[2]


def test_without_extras_there_is_an_empty_table(store: ImageStore, tmp_path: Path) -> None:
    plan(ROWS, LABELS, target_ratio=0.0).write(tmp_path / "none", store, POLICY, seed=0)
    assert [file.name for file in (tmp_path / "none").iterdir()] == ["sources.parquet"]
    assert len(Extras.read(tmp_path / "none")) == 0
    assert len(ImageStore(tmp_path / "packed", tmp_path / "none")) == 53
