"""A store of JPEG reads like one of pixels, but for what the encoding loses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from thawline.augment import _minority
from thawline.dataset import image_store
from thawline.dataset.encoding import decode, encode
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest.items import Item
from thawline.ingest.packing import packing
from thawline.ingest.packing.packing import Geometry, pack

SIZE = 64


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Crops of photographs, uint8 (30, SIZE, SIZE, 3)."""
    rng, pictures = np.random.default_rng(0), load_sample_images().images
    crops = []
    for number in range(30):
        top, left = (int(v) for v in rng.integers(0, 300, 2))
        crops.append(pictures[number % 2][top : top + SIZE, left : left + SIZE])
    return np.stack(crops)


def write(folder: Path, images: np.ndarray, encoding: str = "jpeg") -> ImageStore:
    with StoreWriter(folder, SIZE) as writer:
        for image in images:
            writer.append(encode(image, encoding))
    return ImageStore(folder)


@pytest.fixture
def packed(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    """In several files."""
    monkeypatch.setattr(image_store, "SHARD_BYTES", 32_000)
    return write(tmp_path / "packed", images)


def difference(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(np.int16) - two)


def test_photographs_come_back_within_a_few_levels(
    packed: ImageStore, images: np.ndarray, tmp_path: Path
) -> None:
    lost = difference(packed.take(np.arange(30)), images)
    assert lost.mean() < 1.5
    assert lost.max() <= 24
    size = sum(file.stat().st_size for file in (tmp_path / "packed").iterdir())
    assert size < images.nbytes / 2


def test_a_colour_edge_stays_sharp() -> None:
    """Colour at half of the resolution, as JPEG usually has it, would bleed over."""
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, :5], image[:, 5:] = (255, 0, 0), (0, 0, 255)
    back = decode(encode(image, "jpeg"))
    assert back is not None
    assert difference(back, image).max() < 40


def test_the_interface_is_that_of_pixels(packed: ImageStore, tmp_path: Path) -> None:
    every = packed.take(np.arange(30))
    plain = write(tmp_path / "raw", every, "raw")
    assert (packed.encoding, plain.encoding) == ("jpeg", "raw")
    assert (len(packed), packed.image_size_px) == (len(plain), plain.image_size_px) == (30, SIZE)
    rows = np.array([29, 3, 3, 0, 17])
    assert np.array_equal(packed.take(rows), plain.take(rows))
    assert packed.take(rows).dtype == np.uint8
    assert packed.take(rows[:0]).shape == plain.take(rows[:0]).shape == (0, SIZE, SIZE, 3)
    for one, other in zip(packed.batches(rows, 2), plain.batches(rows, 2), strict=True):
        assert np.array_equal(one, other)
    packed[3][:] = 0
    assert np.array_equal(packed[3], plain[3])
    for row in (30, -1):
        with pytest.raises(IndexError):
            packed[row]
        with pytest.raises(IndexError):
            packed.take(np.array([0, row]))


def test_files_open_in_a_notebook(packed: ImageStore, tmp_path: Path) -> None:
    files = sorted((tmp_path / "packed").glob("jpeg-*.npy"))
    assert len(files) > 1
    row = 0
    for file in files:
        assert file.stat().st_size <= 32_000 + 128
        data = np.load(file, mmap_mode="r")
        ends = np.load(file.with_name(file.name.replace("jpeg", "index")))["end"]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            assert bytes(data[start : start + 3]) == b"\xff\xd8\xff"
            assert np.array_equal(decode(data[start:end]), packed[row])
            row += 1
    assert row == 30


Damage = Callable[[Path], object]


def _changed(file: Path, at: float) -> None:
    data = bytearray(file.read_bytes())
    data[int(len(data) * at)] ^= 0x10
    file.write_bytes(data)


DAMAGES: dict[str, Damage] = {
    "cut": lambda f: (f / "jpeg-00001.npy").write_bytes((f / "jpeg-00001.npy").read_bytes()[:900]),
    "a bit": lambda f: _changed(f / "jpeg-00001.npy", 0.5),
    "empty": lambda f: (f / "jpeg-00001.npy").write_bytes(b""),
    "a missing file": lambda f: (f / "jpeg-00000.npy").unlink(),
    "a missing index": lambda f: (f / "index-00001.npy").unlink(),
    "another index": lambda f: (f / "index-00001.npy").replace(f / "index-00000.npy"),
    "an index of text": lambda f: (f / "index-00001.npy").write_text("text"),
    "an index with a wrong end": lambda f: _changed(f / "index-00001.npy", 0.999),
    "pixels": lambda f: np.save(f / "jpeg-00001.npy", np.zeros((4, 8, 8, 3), np.uint8)),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_one_clear_message(packed: ImageStore, tmp_path: Path, name: str) -> None:
    DAMAGES[name](tmp_path / "packed")
    with pytest.raises(UserError, match=r"packed/\w+-0000\d.npy: .*dvc repro --force") as caught:
        ImageStore(tmp_path / "packed").take(np.arange(30))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", ["cut", "missing"])
def test_damaged_pixels_too(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(image_store, "SHARD_BYTES", 10 * images[0].nbytes)
    write(tmp_path, images, "raw")
    file = tmp_path / "images-00001.npy"
    if kind == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    else:
        file.unlink()
    with pytest.raises(UserError, match=r"images-00001.npy: "):
        ImageStore(tmp_path)


@pytest.mark.parametrize("encoding", ["raw", "jpeg"])
def test_bytes_are_the_same_for_any_number_of_workers(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    geometry = Geometry(image_size_px=48, fit="crop", background=(0, 0, 0), encoding=encoding)
    items = [
        Item(name=f"{k}-{row}", label=0, payload=np.roll(image, k, axis=0))
        for k in range(5)
        for row, image in enumerate(images)
    ]
    found = []
    for workers in (None, 1, 2, 3):
        monkeypatch.setattr(packing.os, "cpu_count", lambda count=workers: count)
        folder = tmp_path / str(workers)
        with StoreWriter(folder, 48) as writer:
            results = pack(items, geometry, 10**6 if workers else 1)
            walk.collect(results, writer, ("a", "b"))
        found.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) == (1 if encoding == "raw" else 2)


def test_extra_images_are_kept_like_the_others(packed: ImageStore, tmp_path: Path) -> None:
    extras = _minority.plan(np.arange(30), np.repeat([0, 1], [25, 5]), target_ratio=1.0)
    extras.write(tmp_path / "extra", packed, [], seed=0)
    both = ImageStore(tmp_path / "packed", tmp_path / "extra")
    assert len(both) == 50
    assert (tmp_path / "extra" / "jpeg-00000.npy").exists()
    assert difference(both[30], packed[int(extras.rows[0])]).mean() < 1.5
