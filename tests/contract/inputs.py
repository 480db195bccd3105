"""What each source reads, made small: two classes, four images of each in every given split."""

import importlib.util
import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES = ("a", "b")
MNIST_FAMILY = ("MNIST", "FashionMNIST", "KMNIST")
Options = dict[str, Any]


def rows(
    parts: tuple[str, ...] = ("train",), num_classes: int = 2
) -> Iterator[tuple[str, int, int, np.ndarray]]:
    """Split, label, number and pixels uint8 (9, 9, 3), all different."""
    for part, split in enumerate(parts):
        for label in reversed(range(num_classes)):
            for number in range(4):
                pixels = np.full((9, 9, 3), 60 * number + 20 * part + label, np.uint8)
                yield split, label, number, pixels


def folder(path: Path, options: Options) -> Path:
    for _, label, number, pixels in rows():
        file = path / CLASSES[label] / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(file)
    return path


def idx(path: Path, options: Options, num_classes: int = 2) -> Path:
    for name in ("train", "t10k"):
        held = [(label, pixels[..., 0]) for _, label, _, pixels in rows((name,), num_classes)]
        images = np.stack([pixels for _, pixels in held])
        header = struct.pack(">4I", 0x0803, *images.shape)
        (path / f"{name}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        header = struct.pack(">2I", 0x0801, len(held))
        (path / f"{name}-labels-idx1-ubyte").write_bytes(header + bytes(k for k, _ in held))
    return path


def npz(path: Path, options: Options) -> Path:
    arrays = {}
    for name in ("train", "val", "test"):
        held = list(rows((name,)))
        arrays[f"{name}_images"] = np.stack([pixels for *_, pixels in held])
        arrays[f"{name}_labels"] = np.array([[label] for _, label, *_ in held], np.uint8)
    np.savez(path / "set.npz", **arrays)
    return path / "set.npz"


def archive(path: Path, options: Options) -> Path:
    with zipfile.ZipFile(path / "set.zip", "w") as file:
        for split, label, number, pixels in rows(("train", "test")):
            file.writestr(f"{split}/{CLASSES[label]}/{number}.png", _png(pixels))
    return path / "set.zip"


def csv(path: Path, options: Options) -> Path:
    folder(path, options)
    lines = [f"{CLASSES[label]}/{n}.png,{CLASSES[label]},{s}" for s, label, n, _ in rows()]
    (path / "set.csv").write_text("\n".join(["image,label,split", *lines]))
    return path


def parquet(path: Path, options: Options) -> Path:
    held = list(rows(("train", "val", "test")))
    columns = {
        "image": [_png(pixels) for *_, pixels in held],
        "label": [CLASSES[label] for _, label, *_ in held],
        "split": [split for split, *_ in held],
        "group": [f"{split} {number // 2}" for split, _, number, _ in held],
    }
    pq.write_table(pa.table(columns), path / "set.parquet")
    return path / "set.parquet"


def _png(pixels: np.ndarray) -> bytes:
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def torchvision(path: Path, options: Options) -> Path:
    """A set of the MNIST family, which is the only kind that can be made by hand."""
    raw = path / options.get("name", "MNIST") / "raw"
    raw.mkdir(parents=True)
    idx(raw, options, num_classes=10)
    return path


MAKERS: dict[str, Callable[[Path, Options], Path]] = {
    "archive": archive,
    "csv": csv,
    "digits": folder,
    "folder": folder,
    "huggingface": folder,
    "idx": idx,
    "npz": npz,
    "parquet": parquet,
    "torchvision": torchvision,
}


def can_make(name: str, options: Options) -> bool:
    """Whether the source can be read here: some packages are optional, some sets need a network."""
    if name == "huggingface":
        return importlib.util.find_spec("datasets") is not None
    return name != "torchvision" or options.get("name", "MNIST") in MNIST_FAMILY
