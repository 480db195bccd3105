"""`python -m tests.faults.fuzzing KIND NUMBER`: damage real files and read them, case by case.

Meant as a process of its own: it may have 1 GiB of memory beyond what it starts with, and a case
that takes 10 s ends it. The number of each case is printed before the case, so that the last one
is the culprit; `--first N` repeats it.
"""

import argparse
import io
import json
import os
import random
import resource
import signal
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from thawline.errors import UserError

MEMORY_BYTES = 2**30
SECONDS = 10
_SAVED: dict[str, tuple[str, dict[str, object]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {}),
    "lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiffjpeg": ("TIFF", {"compression": "jpeg"}),
    "deflated": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "ppm": ("PPM", {}),
}
_NAMES = ("a/1.png", "b/2.png", "../x", "/etc/x", "a\\..\\..\\x", "C:/x", "a/\n.png", "a" * 300)

Read = Callable[[bytes, Path], None]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut, doubled, or with bytes changed; mostly near the start, where the headers are."""
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 9)):
        end = len(changed) if chance.random() < 0.4 else min(len(changed), 200)
        changed[chance.randrange(end)] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
    if chance.random() < 0.15:
        del changed[chance.randrange(1, len(changed)) :]
    if chance.random() < 0.1:
        start = chance.randrange(len(changed))
        changed[start:start] = changed[start : start + chance.randrange(100)]
    return bytes(changed)


def images() -> tuple[list[bytes], Read]:
    from thawline.data.decode import DecodeError, fit, picture

    noise = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    files = []
    for kind, options in _SAVED.values():
        for mode in ("RGB", "L"):
            buffer = io.BytesIO()
            Image.fromarray(noise).convert(mode).save(buffer, kind, **options)
            files.append(buffer.getvalue())

    def read(data: bytes, _: Path) -> None:
        _refusable(lambda: fit(picture(data, 32, "letterbox").image, 32, "letterbox"), DecodeError)

    return files, read


def archives() -> tuple[list[bytes], Read]:
    from thawline.data.members import MemberError, members

    def read(data: bytes, folder: Path) -> None:
        (folder / "archive").write_bytes(data)

        def read_all() -> None:
            for member in members(folder / "archive"):
                if member.problem is None:
                    assert ".." not in member.name.split("/")
                    _refusable(member.load, MemberError)

        _refusable(read_all)

    return [_zip(), _tar("w"), _tar("w:gz"), _tar("w:xz")], read


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _NAMES:
            archive.writestr(name, bytes(99))
    return buffer.getvalue()


def _tar(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, kind in zip(_NAMES, (*"00125634",), strict=True):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind.encode(), "../../x"
            info.size = 99 if kind == "0" else 0
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return buffer.getvalue()


def manifests() -> tuple[list[bytes], Read]:
    from thawline.data.manifest import Manifest
    from thawline.files import MANIFEST

    def read(data: bytes, folder: Path) -> None:
        (folder / MANIFEST).write_bytes(data)
        _refusable(lambda: Manifest.read(folder))

    count = 20
    table = Manifest(
        classes=("a", "b"),
        labels=np.arange(count) % 2,
        splits=np.array(["train", "val"] * (count // 2)),
        sha256=tuple(f"{k:064x}" for k in range(count)),
        names=tuple(f"a/{k}.png" for k in range(count)),
        groups=(None,) * count,
        widths=np.arange(count),
        heights=np.arange(count),
    )
    table.write(Path())
    return [Path(MANIFEST).read_bytes()], read


def cards() -> tuple[list[bytes], Read]:
    from thawline import checkpoint

    def read(data: bytes, folder: Path) -> None:
        (folder / checkpoint.CARD).write_bytes(data)
        _refusable(lambda: checkpoint.read_card(folder))

    card = {
        "format": 1, "family": "resnet", "name": "resnet18", "dropout": 0.1, "stem": "small",
        "classes": ["a", "b"], "image_size_px": 32, "fit": "crop", "background": [0, 0, 0],
        "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2],
    }  # fmt: skip
    return [json.dumps(card).encode()], read


def weights() -> tuple[list[bytes], Read]:
    from safetensors.numpy import save

    from thawline.weights import read_state

    def read(data: bytes, folder: Path) -> None:
        (folder / "w.safetensors").write_bytes(data)
        _refusable(lambda: read_state(folder / "w.safetensors"))

    arrays = {f"layer.{k}.weight": np.ones((3, k + 1), np.float32) for k in range(4)}
    return [save(arrays), save({"a": np.zeros(0, np.float16)})], read


def params() -> tuple[list[bytes], Read]:
    from thawline import params as parameters

    def read(data: bytes, folder: Path) -> None:
        (folder / "params.yaml").write_bytes(data)
        _refusable(lambda: parameters.load(folder / "params.yaml"))

    return [(Path(__file__).parents[2] / "params.yaml").read_bytes()], read


def _refusable(action: Callable[[], object], refusal: type[Exception] = UserError) -> None:
    try:
        action()
    except refusal as error:
        said = str(error)
        if not said.isprintable():
            raise ValueError(f"not one printable line: {said!r}") from error


KINDS: dict[str, Callable[[], tuple[list[bytes], Read]]] = {
    kind.__name__: kind for kind in (images, archives, manifests, cards, weights, params)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("number", type=int)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    files, read = KINDS[asked.kind]()
    for file in files:
        read(file, Path())  # whole; and loads what is loaded at the first use
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY_BYTES,) * 2)
    for case in range(asked.first, asked.first + asked.number):
        os.write(1, b"%d\n" % case)
        chance = random.Random(f"{asked.kind} {case}")
        signal.alarm(SECONDS)
        read(damaged(files[case % len(files)], chance), Path())
    signal.alarm(0)


if __name__ == "__main__":
    main()
