"""Packed images are read by row, across files, without loading the rest."""

from pathlib import Path

import numpy as np
import pytest

from thawline.dataset import image_store, shards
from thawline.dataset.image_store import ImageStore, StoreWriter

SIZE = 8


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (23, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def packed(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    """23 images in files of five."""
    monkeypatch.setattr(image_store, "SHARD_BYTES", 5 * SIZE * SIZE * 3 + 1)
    write(tmp_path, images)
    return ImageStore(tmp_path)


def write(folder: Path, images: np.ndarray) -> None:
    with StoreWriter(folder, SIZE) as writer:
        for image in images:
            writer.append(image)


def test_a_file_holds_at_most_its_share(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = SIZE * SIZE * 3
    for share, rows in ((23 * one, [23]), (23 * one - 1, [22, 1]), (one, [1] * 23), (1, [1] * 23)):
        monkeypatch.setattr(image_store, "SHARD_BYTES", share)
        write(tmp_path / str(share), images)
        assert [len(shard) for shard in shards.read(tmp_path / str(share))] == rows


def test_files_open_in_a_notebook(packed: ImageStore, images: np.ndarray, tmp_path: Path) -> None:
    files = sorted(tmp_path.glob("images-*.npy"))
    assert [len(np.load(file, mmap_mode="r")) for file in files] == [5, 5, 5, 5, 3]
    assert np.array_equal(np.concatenate([np.load(file) for file in files]), images)


def test_rows_come_back(packed: ImageStore, images: np.ndarray) -> None:
    assert len(packed) == 23
    assert packed.image_size_px == SIZE
    for row in range(23):
        assert np.array_equal(packed[row], images[row])


@pytest.mark.parametrize("rows", [[], [22], [4, 5], [20, 3, 3, 11, 0, 22, 4, 5], list(range(23))])
def test_take_keeps_order_and_repeats(
    packed: ImageStore, images: np.ndarray, rows: list[int]
) -> None:
    assert np.array_equal(packed.take(np.array(rows, dtype=np.int64)), images[rows])


def test_batches_are_the_rows_in_order(packed: ImageStore, images: np.ndarray) -> None:
    rows = np.array([7, 1, 22, 9, 9, 0, 5])
    batches = list(packed.batches(rows, 3))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert np.array_equal(np.concatenate(batches), images[rows])


@pytest.mark.parametrize("row", [23, 1000, -1])
def test_a_row_that_does_not_exist(packed: ImageStore, row: int) -> None:
    with pytest.raises(IndexError):
        packed[row]
    with pytest.raises(IndexError):
        packed.take(np.array([row]))


def test_changing_an_image_leaves_the_store(packed: ImageStore, images: np.ndarray) -> None:
    packed[3][:] = 0
    packed.take(np.array([3]))[:] = 0
    assert np.array_equal(packed[3], images[3])


def test_files_are_mapped_not_loaded(packed: ImageStore, tmp_path: Path) -> None:
    opened = shards.read(tmp_path)
    assert all(isinstance(shard.pixels.base, np.memmap) for shard in opened)  # type: ignore[attr-defined]


def test_equal_images_give_equal_bytes(images: np.ndarray, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, images)
    files = [sorted((tmp_path / name).iterdir()) for name in ("a", "b")]
    assert [f.name for f in files[0]] == [f.name for f in files[1]] == ["images-00000.npy"]
    assert files[0][0].read_bytes() == files[1][0].read_bytes()


def test_a_walk_that_fails_leaves_no_last_file(images: np.ndarray, tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path, SIZE)
    writer.append(images[0])
    writer.__exit__(RuntimeError())
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no packed images"):
        ImageStore(tmp_path)
