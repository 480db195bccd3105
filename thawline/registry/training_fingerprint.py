"""Store hashes of what a model was trained and tuned on.

They are stored with the model, so that a later comparison can leave those rows out wherever the
data have gone by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thawline.dataset import array_damage
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.files.file_filter import name_hash
from thawline.runtime.escape import escape

FILE = "seen.npz"
TESTED = "tested.npz"
"""The rows that it was tested on, in the same form: the next test set is not drawn from them."""
_HASH_DIGITS = 16
"""64 bits of the pixels' SHA-256: a million rows against ten thousand meet by chance once in
10^9 comparisons."""


@dataclass(frozen=True, kw_only=True)
class TrainingFingerprint:
    """Rows and groups that a model has seen.

    Attributes:
        rows: hashes of pixels, uint64, sorted.
        groups: hashes of the names of groups, uint64, sorted.
    """

    rows: np.ndarray
    groups: np.ndarray

    @classmethod
    def from_manifest(
        cls, manifest: Manifest, splits: Sequence[str] = ("train", "val")
    ) -> "TrainingFingerprint":
        """Hash the rows of some splits of a data set, and their groups."""
        rows = np.flatnonzero(np.isin(manifest.splits, splits))
        groups = [manifest.groups[row] for row in rows]
        return cls(
            rows=np.unique(_row_hashes(manifest, rows)),
            groups=np.unique(_group_hashes([group for group in groups if group is not None])),
        )

    def write(self, path: Path) -> None:
        np.savez_compressed(path, rows=self.rows, groups=self.groups)

    @classmethod
    def read(cls, path: Path) -> "TrainingFingerprint":
        """Read a fingerprint from a file.

        Raises:
            UserError: it is not there or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                found = cls(rows=stored["rows"], groups=stored["groups"])
            if any(a.dtype != np.uint64 or a.ndim != 1 for a in (found.rows, found.groups)):
                raise ValueError("holds other arrays than hashes")
        except (OSError, *array_damage.HEADER, *array_damage.ARCHIVE) as error:
            raise UserError(f"{path}: cannot be read: {escape(str(error), 300)}") from None
        return found

    def knows(self, manifest: Manifest, rows: np.ndarray) -> np.ndarray:
        """Find the rows that the model has seen, or another of their group: bool (N,)."""
        groups = [manifest.groups[row] for row in rows]
        hashes = _group_hashes([group or "" for group in groups])
        grouped = np.array([group is not None for group in groups], dtype=bool)
        known = np.isin(_row_hashes(manifest, rows), self.rows)
        return known | (grouped & np.isin(hashes, self.groups))


def _row_hashes(manifest: Manifest, rows: np.ndarray) -> np.ndarray:
    hashes = [int(manifest.sha256[row][:_HASH_DIGITS], 16) for row in rows]
    return np.array(hashes, dtype=np.uint64)


def _group_hashes(groups: list[str]) -> np.ndarray:
    return np.array([name_hash(group) for group in groups], dtype=np.uint64)
