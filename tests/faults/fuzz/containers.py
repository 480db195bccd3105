"""Files that hold many images: archives, arrays of NumPy and of the MNIST family."""

import gzip
import io
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.fuzz.damage import Kind, refusable

_NAMES = ("a/1.png", "b/2.png", "../x", "/etc/x", "a\\..\\..\\x", "C:/x", "a/\n.png", "a" * 300)
_ENCODINGS = ("", "cp932", "gbk", "utf-8", "utf-16", "idna", "unicode_escape")
_LABELS = np.arange(6, dtype=np.uint8) % 2
_IMAGES = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4)


def archives() -> Kind:
    """Read each member of zips and tars."""
    from thawline.ingest.files.archive_reader import MemberError, members

    def read(data: bytes, folder: Path) -> None:
        (folder / "archive").write_bytes(data)
        encoding = _ENCODINGS[len(data) % len(_ENCODINGS)]

        def read_all() -> None:
            for member in members(folder / "archive", encoding):
                if member.problem is None:
                    assert ".." not in member.name.split("/")
                    refusable(member.head if data[-1:] == b"x" else member.load, MemberError)

        refusable(read_all)

    return Kind(files=[_zip(), _tar("w"), _tar("w:gz"), _tar("w:xz"), _tar("w:bz2")], read=read)


def sets() -> Kind:
    """Read archives of class folders as the source does: names in other encodings, splits."""
    from thawline.ingest.sources import archive

    def read(data: bytes, folder: Path) -> None:
        (folder / "archive").write_bytes(data)
        encoding = _ENCODINGS[len(data) % len(_ENCODINGS)]
        refusable(lambda: _walk(archive.read(folder / "archive", name_encoding=encoding)))

    names = [f"{c}/{k}.png" for c in ("\u72ac", "\u732b") for k in range(3)]
    splits = [f"s/{s}/{c}/{k}" for s in ("train", "val") for c in "ab" for k in range(2)]
    files = [_named_zip(names, code) for code in ("cp932", "utf-8", "cp437-extra")]
    return Kind(files=[*files, _named_zip(splits, "utf-8")], read=read)


def npz() -> Kind:
    """Read archives of NumPy, damaged as files and inside of a whole zip."""
    from thawline.ingest.sources import npz as source

    def read(data: bytes, folder: Path) -> None:
        path = folder / "set.npz"
        if data[:1] == b"P":
            path.write_bytes(data)
            refusable(lambda: _walk(source.read(path)))
        for name in ("train_images", "train_labels"):
            arrays = {"train_images": _npy(_IMAGES), "train_labels": _npy(_LABELS)} | {name: data}
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
                for key, content in arrays.items():
                    out.writestr(f"{key}.npy", content)
            refusable(lambda: _walk(source.read(path)))

    buffer = io.BytesIO()
    np.savez_compressed(buffer, train_images=_IMAGES, train_labels=_LABELS, test_images=_IMAGES,
                        test_labels=_LABELS)  # fmt: skip
    inner = [_npy(_IMAGES), _npy(_LABELS.reshape(-1, 1).astype("<i8")), _npy(_IMAGES[..., None])]
    return Kind(files=[buffer.getvalue(), *inner], read=read, text=True)


def idx() -> Kind:
    """Read files of the MNIST family, plain and gzip."""
    from thawline.ingest.sources import idx as source

    images = struct.pack(">4I", 0x0803, *_IMAGES.shape) + _IMAGES.tobytes()
    labels = struct.pack(">2I", 0x0801, len(_LABELS)) + _LABELS.tobytes()

    def read(data: bytes, folder: Path) -> None:
        for kind, whole in (("images-idx3", images), ("labels-idx1", labels)):
            place = folder / "idx"
            place.mkdir(exist_ok=True)
            (place / "train-images-idx3-ubyte").write_bytes(images)
            (place / "train-labels-idx1-ubyte").write_bytes(labels)
            (place / f"train-{kind}-ubyte").unlink()
            if data[:2] == b"\x1f\x8b":
                (place / f"train-{kind}-ubyte.gz").write_bytes(data)
            else:
                (place / f"train-{kind}-ubyte").write_bytes(data)
                (place / f"t10k-{kind}-ubyte").write_bytes(whole)
            refusable(lambda place=place: _walk(source.read(place)))
            shutil.rmtree(place)

    files = [images, labels, gzip.compress(images, mtime=0), gzip.compress(labels, mtime=0)]
    return Kind(files=files, read=read)


def seen() -> Kind:
    """Read the hashes that lie with a registered version."""
    from thawline.registry.training_fingerprint import TrainingFingerprint

    buffer = io.BytesIO()
    np.savez_compressed(buffer, rows=np.arange(9, dtype=np.uint64), groups=np.empty(0, np.uint64))

    def read(data: bytes, folder: Path) -> None:
        path = folder / "seen.npz"
        if data[:1] == b"P":
            path.write_bytes(data)
            refusable(lambda: TrainingFingerprint.read(path))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("rows.npy", data)
            out.writestr("groups.npy", data)
        refusable(lambda: TrainingFingerprint.read(path))

    return Kind(
        files=[buffer.getvalue(), _npy(np.arange(9, dtype=np.uint64))], read=read, text=True
    )


def _walk(source: Any) -> None:
    for _ in source.items:
        pass
    assert all(line.isprintable() for line in source.remarks)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _NAMES:
            archive.writestr(name, bytes(99))
    return buffer.getvalue()


def _named_zip(names: list[str], encoding: str) -> bytes:
    """Names in another encoding without the flag, or in the field of Info-ZIP beside cp437."""
    buffer = io.BytesIO()
    code = encoding.partition("-extra")[0]
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            raw = name.encode(code, "replace")
            info = zipfile.ZipInfo("x" * len(raw))
            if encoding.endswith("-extra"):
                field = b"\1" + struct.pack("<I", zlib.crc32(raw)) + name.encode()
                info.extra = struct.pack("<HH", 0x7075, len(field)) + field
            archive.writestr(info, b"\x89PNG\r\n\x1a\n" + bytes(9))
    out = buffer.getvalue()
    for name in names:
        raw = name.encode(code, "replace")
        out = out.replace(b"x" * len(raw), raw, 1)
    for name in names:
        raw = name.encode(code, "replace")
        at = out.index(b"PK\1\2")
        out = out[:at] + out[at:].replace(b"x" * len(raw), raw, 1)
    return out


def _tar(mode: str) -> bytes:
    buffer = io.BytesIO()
    opened: Callable[..., tarfile.TarFile] = tarfile.open
    with opened(fileobj=buffer, mode=mode) as archive:
        for name, kind in zip(_NAMES, (*"00125634",), strict=True):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind.encode(), "../../x"
            info.size = 99 if kind == "0" else 0
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return buffer.getvalue()
