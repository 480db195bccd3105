"""Keep features of a frozen part of a network between runs.

They lie untracked in the project's scratch folder, which its temporary copies share. No output
depends on them: features are used only for equal weights, pixels, rows, numerics, code and
libraries, and only with the right checksum, so they are the bits that would be computed.
"""

import math
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn

from thawline.dataset.image_store import ImageStore
from thawline.features import fingerprints
from thawline.models.inference import Normalisation
from thawline.runtime import checksummed_file, workspace
from thawline.runtime.lru import make_room, mark_used
from thawline.runtime.progress import log

SUFFIX = ".features"
Batches = Callable[[], Iterable[np.ndarray]]


class FeatureCache:
    """Arrays on disk, up to a limit; the least recently used go first."""

    def __init__(self, limit_gb: float, folder: Path | None = None) -> None:
        """Open the cache in a folder; None: the project's scratch folder.

        `limit_gb` is for all arrays together, in GB; 0 keeps nothing.
        """
        self._limit = int(limit_gb * 1e9)
        self._folder = workspace.scratch() / "features" if folder is None else folder
        self._began_ns = time.time_ns()

    def fits(self, num_bytes: int) -> bool:
        """Tell by the limit alone whether so many bytes may be kept, however full the cache is."""
        return num_bytes <= self._limit

    def get(self, known_by: Mapping[str, str], num_rows: int, batches: Batches) -> np.ndarray:
        """Return the array that was kept for equal inputs, or compute it, float32 (num_rows, ...).

        Args:
            known_by: everything that changes a bit of it; short texts.
            num_rows: rows of the array.
            batches: computes the rows in order, float32 (B, ...) each.

        Returns:
            A memory map that may be written to without touching the file, or an array.
        """
        path = self._folder / f"{fingerprints.hash_values(dict(known_by))}{SUFFIX}"
        found = self._read(path, known_by)
        return self._made(path, known_by, num_rows, batches) if found is None else found

    def _read(self, path: Path, known_by: Mapping[str, str]) -> np.ndarray | None:
        try:
            about = checksummed_file.read_about(path)
            if about["known_by"] != dict(known_by):
                raise ValueError("is of other inputs")
            shape = tuple(map(operator.index, about["shape"]))
            if 4 * math.prod(shape) != path.stat().st_size - checksummed_file.HEADER_BYTES:
                raise ValueError("has another shape")
            mapped = np.memmap(path, np.float32, "c", checksummed_file.HEADER_BYTES, shape)
            mark_used(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log(f"kept features are computed anew: {path.name} {error}")
            return None
        return mapped

    def _made(
        self, path: Path, known_by: Mapping[str, str], num_rows: int, batches: Batches
    ) -> np.ndarray:
        coming = iter(batches())
        first = next(coming)
        shape = (num_rows, *first.shape[1:])
        everything = chain([first], coming)
        try:
            if not self._make_room(4 * math.prod(shape)):
                return np.concatenate(list(everything))
            about = {"known_by": dict(known_by), "shape": shape}
            checksummed_file.write(path, about, _bytes(everything))
        except OSError as error:
            log(f"features are not kept: {self._folder}: {error.strerror}")
            return np.concatenate(list(batches()))
        kept = self._read(path, known_by)
        return np.concatenate(list(batches())) if kept is None else kept

    def _make_room(self, num_bytes: int) -> bool:
        """Remove the least recently used arrays, but none that this run has used."""
        if not self.fits(num_bytes):
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        checksummed_file.remove_abandoned(self._folder)
        return make_room(
            self._folder, SUFFIX, num_bytes, limit=self._limit, since_ns=self._began_ns
        )


def describe_trunk(
    trunk: nn.Module,
    store: ImageStore,
    rows: np.ndarray,
    card: Normalisation,
    *,
    precision: str,
    device: torch.device,
) -> dict[str, str]:
    """Name everything that the features of unchanged images depend on, as a cache key.

    `trunk` is a fixed network or its first blocks, `rows` of the store are int64 (N,) in the order
    in which they are computed. Where the trunk is cut shows in its structure.
    """
    return {
        "weights": fingerprints.hash_tensors(trunk.state_dict()),
        "structure": fingerprints.hash_values(repr(trunk)),
        "images": fingerprints.hash_images(store, rows),
        "normalisation": fingerprints.hash_values([card.mean, card.std]),
        "precision": precision,
        **fingerprints.describe_machine(device),
    }


def _bytes(batches: Iterable[np.ndarray]) -> Iterator[bytes]:
    for batch in batches:
        yield np.ascontiguousarray(batch, dtype=np.float32).tobytes()
