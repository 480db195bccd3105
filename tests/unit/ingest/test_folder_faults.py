"""Folders that change while they are read, very large ones, and classes without images."""

import os
import shutil
import signal
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import colours
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.ingest import collect as walk
from thawline.ingest import ingest_summary
from thawline.ingest.format_warnings import note
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing.packing import Geometry, Packed, pack
from thawline.ingest.sources import folder
from thawline.ingest.splits.divide import divide
from thawline.report.data import page
from thawline.report.data.contents import Contents

Encode = Callable[..., bytes]
GEOMETRY = Geometry(image_size_px=16, fit="letterbox", background=(0, 0, 0))
RATIOS = {"val_ratio": 0.2, "test_ratio": 0.2, "imbalance_ratio": None}


@pytest.fixture
def root(tmp_path: Path, encode: Encode) -> Path:
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(12):
            pixels = np.random.default_rng(index).integers(0, 256, (20, 20, 3), dtype=np.uint8)
            pixels[0] = label
            (tmp_path / "data" / name / f"{index:02d}.png").write_bytes(encode(pixels, "PNG"))
    return tmp_path / "data"


def packed(root: Path) -> dict[str, Packed | Reject]:
    source = folder.read(root)
    results = pack(source.items, GEOMETRY, source.num_items)
    return {r.item_name if isinstance(r, Packed) else r.name: r for r in results}


def test_files_that_change_or_vanish_meanwhile_are_set_aside_whole(root: Path) -> None:
    source = folder.read(root)  # the listing is done, nothing is read yet
    (root / "cat" / "03.png").unlink()
    half = (root / "cat" / "04.png").read_bytes()
    (root / "cat" / "04.png").write_bytes(half[: len(half) // 2])
    (root / "cat" / "05.png").write_bytes(b"")
    shutil.rmtree(root / "dog")
    results = list(pack(source.items, GEOMETRY, source.num_items))
    assert len(results) == 24
    reasons = {r.name: r.reason for r in results if isinstance(r, Reject)}
    assert reasons.pop("cat/03.png") == "cannot be read: No such file or directory"
    assert reasons.pop("cat/04.png").startswith("damaged")
    assert reasons.pop("cat/05.png") == "empty file"
    assert set(reasons) == {f"dog/{k:02d}.png" for k in range(12)}


def _socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(file))


BECOMES = {"folder": Path.mkdir, "pipe": os.mkfifo, "socket": _socket}


@pytest.fixture
def in_time() -> Iterator[None]:
    """An error after 20 s, where a test would hang."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize("kind", BECOMES)
def test_a_file_that_becomes_something_else_meanwhile(root: Path, kind: str) -> None:
    """A pipe would keep a reader waiting for its writer."""
    source = folder.read(root)
    (root / "cat" / "03.png").unlink()
    BECOMES[kind](root / "cat" / "03.png")
    results = list(pack(source.items, GEOMETRY, source.num_items))
    (reject,) = [r for r in results if isinstance(r, Reject)]
    assert reject.name == "cat/03.png"
    assert reject.reason.startswith("cannot be read: ")


def test_a_device_is_never_opened(root: Path) -> None:
    """A link to one: making one takes rights that tests do not have."""
    (root / "cat" / "zero.png").symlink_to("/dev/zero")
    found = packed(root)["cat/zero.png"]
    assert isinstance(found, Reject)
    assert "outside" in found.reason


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "jpg"), ("JPEG", "tiff"), ("WEBP", "png")])
def test_an_image_with_a_wrong_extension_is_taken(
    root: Path, encode: Encode, kind: str, suffix: str
) -> None:
    image = Image.fromarray(np.full((20, 20, 3), 77, np.uint8))
    (root / "cat" / f"wrong.{suffix}").write_bytes(encode(image, kind, lossless=True))
    found = packed(root)[f"cat/wrong.{suffix}"]
    assert isinstance(found, Packed)
    assert np.abs(found.pixels.astype(int) - 77).max() <= 2
    assert found.note == f"a {kind} file named .{suffix}"


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("GIF", "gif"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("TIFF", "tiff"),
        ("MPO", "jpg"),
        ("AVIF", "avif"),
    ],
)
def test_of_several_frames_the_first_is_taken_and_noted(
    root: Path, encode: Encode, kind: str, suffix: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    frames = [Image.fromarray(pixels) for pixels in noise]
    several = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    (root / "cat" / f"several.{suffix}").write_bytes(several)
    (root / "dog" / f"single.{suffix}").write_bytes(encode(frames[0], kind))
    found = packed(root)
    several_found, single = found[f"cat/several.{suffix}"], found[f"dog/single.{suffix}"]
    assert isinstance(several_found, Packed)
    assert isinstance(single, Packed)
    named = "JPEG" if kind == "MPO" else kind
    assert several_found.note == f"the first of several frames of a {named} file"
    if kind not in ("WEBP", "AVIF"):  # it loses something else when there are more
        assert several_found.sha256 == single.sha256
    assert single.note is None


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO", "AVIF"])
def test_a_remark_on_a_damaged_file_does_no_harm(encode: Encode, kind: str) -> None:
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(p) for p in rng.integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)]
    whole = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    for at in rng.integers(0, 8 * len(whole), 300).tolist():
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        note("a.png", bytes(damaged))
        note("a.png", bytes(damaged[: at // 8]))


@pytest.mark.parametrize("length", [251, 240])
def test_names_of_255_bytes_and_twins_in_two_classes(root: Path, length: int) -> None:
    data = (root / "cat" / "00.png").read_bytes()
    for name in ("cat", "dog"):
        (root / name / ("x" * length + ".png")).write_bytes(data)
    assert {f"{c}/{'x' * length}.png" for c in ("cat", "dog")} <= packed(root).keys()


def test_an_empty_class_folder_is_named(root: Path, tmp_path: Path) -> None:
    (root / "bi\nrd").mkdir()
    (root / "notes").mkdir()
    (root / "notes" / "a.txt").touch()
    source = folder.read(root)
    assert source.classes == ("cat", "dog")
    assert source.empty_classes == ("bi\nrd", "notes")
    with StoreWriter(tmp_path / "store", 16) as writer:
        found = walk.collect(pack(source.items, GEOMETRY, 24), writer, source.classes)
    manifest = divide(found, source.classes, seed=0, **RATIOS)  # type: ignore[arg-type]
    assert ingest_summary.gaps(manifest, source.empty_classes) == [
        "no image in 'bi\\\\nrd', 'notes': not a class"
    ]


@pytest.mark.slow
def test_two_thousand_classes(tmp_path: Path) -> None:
    """Through the walk, the manifest and the report, in little memory."""
    classes = tuple(f"class {k}" for k in range(2000))
    noise = np.random.default_rng(0).integers(0, 256, (6000, 6, 6, 3), dtype=np.uint8)
    items = (
        Item(name=f"{k % 2000}/{k}", label=k % 2000, payload=pixels)
        for k, pixels in enumerate(noise)
    )
    tracemalloc.start()
    with StoreWriter(tmp_path / "store", 16) as writer:
        found = walk.collect(pack(items, GEOMETRY, 1), writer, classes)
    manifest = divide(found, classes, seed=0, **RATIOS)  # type: ignore[arg-type]
    contents = Contents(
        manifest=manifest,
        store=ImageStore(tmp_path / "store"),
        looks=[p.looks for p in found.packed],
        links=None,
        conflicts=(),
        left_out=frozenset(),
        quarantine=(),
        notes=[None] * len(manifest),
        decided=colours.decided(16, "letterbox"),
        blanks={},
        num_transparent=0,
        account=ingest_summary.account_for(found, {}),
    )
    page.write(tmp_path / "report", contents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for split in ("train", "val", "test"):
        assert (manifest.counts(split) == 1).all()
    assert peak < 100 * 2**20


@pytest.mark.slow
def test_a_hundred_thousand_files_in_one_folder(root: Path, encode: Encode) -> None:
    original = root / "cat" / "00.png"
    for index in range(100_000):
        os.link(original, root / "dog" / f"{index:06d}.png") if index < 50_000 else (
            root / "dog" / f"{index:06d}.png"
        ).touch()
    tracemalloc.start()
    source = folder.read(root)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.num_items == 100_024
    assert peak < 100 * 2**20
