"""Cache decoded images by the content of their files, so that only new ones are decoded again.

Untracked, in the project's scratch folder, which its temporary copies share. No output depends on
it: an image counts only for the code, library versions and geometry that it was made with, and if
its checksum is right. Several runs may use it at once, and any may be killed. What could not be
decoded is tried again, and pixels that a source hands over need no decoding.
"""

import hashlib
import json
import math
import os
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Self

import cv2
import numpy as np
import PIL
from PIL import features

from thawline.dvc import code
from thawline.errors import UserError
from thawline.ingest.decoding.image_stats import Looks
from thawline.ingest.decoding.preprocess import Geometry, PreparedImage
from thawline.ingest.packing import segments
from thawline.runtime import safe_json, workspace
from thawline.runtime.lru import make_room, mark_used
from thawline.runtime.progress import log

LIMIT = "THAWLINE_PACK_CACHE_GB"
"""Environment variable: the disk of a machine is no matter of an experiment. 0 switches it off."""
DEFAULT_GB = 10.0
SEGMENT_BYTES = 32 * 2**20
"""Held before it is written."""
_HALF_FILES_NS = 3600 * 10**9
"""Age at which those of killed runs are removed; writing one takes a second."""


def key(name: str, data: bytes) -> bytes:
    """Hash a file's bytes and the suffix of its name, on which its note depends; 32 bytes."""
    digest = hashlib.sha256(PurePosixPath(name).suffix.lower().encode("utf-8", "surrogatepass"))
    digest.update(b"\0")
    digest.update(data)
    return digest.digest()


@dataclass
class Known:
    """Index of the cached images, 16 bytes each, read by the processes that decode."""

    geometry: Geometry
    files: list[Path]
    prefixes: np.ndarray
    """First 8 bytes of the keys, uint64 (N,), ascending."""
    file_of: np.ndarray
    row_of: np.ndarray
    _last: int | None = field(default=None, init=False)
    """File of the image that was found last."""

    @classmethod
    def from_files(cls, files: list[Path], geometry: Geometry) -> Self:
        """Index the images of segment files; remove damaged files."""
        prefixes = [_keys(file) for file in files]
        lengths = [len(found) for found in prefixes]
        together = np.concatenate([np.empty(0, np.uint64), *prefixes])
        order = np.argsort(together, kind="stable")
        file_of = np.repeat(np.arange(len(files), dtype=np.uint32), lengths)
        row_of = np.concatenate([np.empty(0, np.uint32), *map(np.arange, lengths)])
        return cls(
            geometry=geometry,
            files=files,
            prefixes=together[order],
            file_of=file_of[order],
            row_of=row_of[order].astype(np.uint32),
        )

    def find(self, wanted: bytes) -> PreparedImage | None:
        prefix = np.frombuffer(wanted, "<u8", 1)[0]
        at = int(np.searchsorted(self.prefixes, prefix))
        while at < len(self.prefixes) and self.prefixes[at] == prefix:
            with suppress(OSError):  # another run may have made room
                record = segments.read(self.files[self.file_of[at]], int(self.row_of[at]))
                if record is not None and record.key == wanted:
                    self._used(int(self.file_of[at]))
                    return _content(record, self.geometry)
            at += 1
        return None

    def _used(self, number: int) -> None:
        """Mark a segment as used, for eviction; images come roughly in the order of writing."""
        if number != self._last:
            mark_used(self.files[number])
            self._last = number


class PackCache:
    """Cache of decoded images; as a context manager it writes pending images at the end."""

    def __init__(self, geometry: Geometry, folder: Path | None = None) -> None:
        """Open the cache.

        Raises:
            UserError: the environment variable LIMIT is not a size.
        """
        self._limit = limit_bytes()
        self._folder = workspace.scratch() / "packed" if folder is None else folder
        self._made_with = made_with(geometry)
        self._began_ns = time.time_ns()
        self._held: list[segments.CachedImage] = []
        self._held_bytes = 0
        self._open = self._limit > 0
        files = self._prepared() if self._open else []
        self.known = Known.from_files(files, geometry) if self._open else None

    def add(self, wanted: bytes, image: PreparedImage) -> None:
        """Cache an image that was not found."""
        if not self._open:
            return
        self._held.append(_record(wanted, image))
        self._held_bytes += self._held[-1].num_bytes
        if self._held_bytes >= SEGMENT_BYTES:
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._held:
            self._write()

    def _prepared(self) -> list[Path]:
        """List the segment files that were made by the same code, versions and geometry."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for half in self._folder.glob(f"*{segments.HALF}"):
                if half.stat().st_mtime_ns < self._began_ns - _HALF_FILES_NS:
                    half.unlink(missing_ok=True)
        except OSError as error:
            self._give_up(error)
        return sorted(self._folder.glob(f"{self._made_with}-*{segments.SUFFIX}"))

    def _write(self) -> None:
        file = self._folder / f"{self._made_with}-{uuid.uuid4().hex}{segments.SUFFIX}"
        try:
            if make_room(
                self._folder,
                segments.SUFFIX,
                self._held_bytes,
                limit=self._limit,
                since_ns=self._began_ns,
            ):
                segments.write(file, self._held)
                mark_used(file)
            else:
                self._open = False
        except OSError as error:
            self._give_up(error)
        self._held, self._held_bytes = [], 0

    def _give_up(self, error: OSError) -> None:
        """Stop caching, with a message: a full disk does not end the run."""
        self._open = False
        log(f"ingest: decoded images are not kept: {self._folder}: {error.strerror}")


def limit_bytes() -> int:
    """Read the size limit of the cache from the environment, bytes.

    Raises:
        UserError: not a number, or below 0.
    """
    text = os.environ.get(LIMIT, str(DEFAULT_GB))
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = math.nan
    if not 0 <= gigabytes < 1e9:
        raise UserError(f"{LIMIT}: {text!r} is not a size; allowed: 0 (off) or more, in GB")
    return int(gigabytes * 1e9)


def made_with(geometry: Geometry) -> str:
    """Fingerprint everything that affects decoding besides the file, 16 hexadecimal digits."""
    libraries = ("jpg", "libjpeg_turbo", "zlib", "webp", "libtiff", "littlecms2")
    versions = [PIL.__version__, cv2.__version__, np.__version__, *map(features.version, libraries)]
    digest = hashlib.sha256(repr((geometry, versions)).encode())
    digest.update(code.running().digest(PreparedImage.__module__).encode())
    return digest.hexdigest()[:16]


def _keys(file: Path) -> np.ndarray:
    """Read the keys of a segment; remove a damaged file, which has none."""
    try:
        return segments.keys(file)
    except ValueError:
        with suppress(OSError):
            file.unlink(missing_ok=True)
    except OSError:
        pass
    return np.empty(0, dtype=np.uint64)


def _record(wanted: bytes, image: PreparedImage) -> segments.CachedImage:
    rest = {f.name: getattr(image, f.name) for f in fields(PreparedImage) if f.name != "pixels"}
    rest["looks"] = asdict(image.looks)
    return segments.CachedImage(wanted, image.pixels.tobytes(), json.dumps(rest).encode())


def _content(record: segments.CachedImage, geometry: Geometry) -> PreparedImage:
    pixels = np.frombuffer(record.pixels, dtype=np.uint8)
    if geometry.encoding == "raw":
        pixels = pixels.reshape(geometry.image_size_px, geometry.image_size_px, 3)
    rest = safe_json.loads(record.rest)
    return PreparedImage(**rest | {"pixels": pixels, "looks": Looks(**rest["looks"])})
