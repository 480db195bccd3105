"""Write and read the manifest: one row per packed image, in the same order."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thawline.dataset import stored_table
from thawline.runtime import safe_json
from thawline.runtime.output_paths import MANIFEST, intact

_CLASSES = b"classes"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Label, split and origin of every packed image.

    Attributes:
        classes: class names; a label is an index into them.
        labels: class ids, int64 (N,), in [0, num_classes).
        splits: str (N,), train | val | test | unused (left out to make a long tail).
        sha256: hash of the upright pixels before they were packed, per row.
        names: path of each image, relative to the source.
        groups: name of what must stay in one split, or None, per row.
        widths, heights: original size in px, int64 (N,).
    """

    classes: tuple[str, ...]
    labels: np.ndarray
    splits: np.ndarray
    sha256: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[str | None, ...]
    widths: np.ndarray
    heights: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, split: str) -> np.ndarray:
        """List the rows of a split, int64, ascending."""
        return np.flatnonzero(self.splits == split)

    def counts(self, split: str) -> np.ndarray:
        """Count images per class in a split, int64 (num_classes,)."""
        return np.bincount(self.labels[self.rows(split)], minlength=len(self.classes))

    def digest(self) -> str:
        """Hash the data set: pixels, labels and splits; 32 hexadecimal digits."""
        rows = zip(self.sha256, self.labels.tolist(), self.splits.tolist(), strict=True)
        digest = hashlib.sha256(f"[{json.dumps(self.classes)}, [".encode())
        # Row by row: the whole as one text takes 200 bytes for each.
        for number, row in enumerate(rows):
            digest.update(f"{', ' if number else ''}{json.dumps(row)}".encode())
        digest.update(b"]]")
        return digest.hexdigest()[:32]

    def write(self, directory: Path) -> None:
        """Write the table; equal manifests give equal bytes."""
        table = pa.table(
            {
                "label": pa.array(self.labels, pa.int32()),
                "class": pa.array([self.classes[k] for k in self.labels]),
                "split": pa.array(self.splits.tolist()),
                "sha256": pa.array(self.sha256),
                "name": pa.array(self.names),
                "group": pa.array(self.groups, pa.string()),
                "width_px": pa.array(self.widths, pa.int32()),
                "height_px": pa.array(self.heights, pa.int32()),
            }
        ).replace_schema_metadata({_CLASSES: json.dumps(self.classes)})
        pq.write_table(table, directory / MANIFEST, compression="zstd")

    @classmethod
    def read(cls, directory: Path) -> "Manifest":
        """Read the table.

        Raises:
            UserError: the file is missing, damaged, or another table.
        """
        with intact(directory / MANIFEST):
            return cls._from(stored_table.read(directory / MANIFEST))

    @classmethod
    def _from(cls, table: pa.Table) -> "Manifest":
        column = {name: table.column(name) for name in table.column_names}
        return cls(
            classes=tuple(safe_json.loads(table.schema.metadata[_CLASSES])),
            labels=stored_table.integers(table, "label"),
            splits=np.array(column["split"].to_pylist()),
            sha256=tuple(column["sha256"].to_pylist()),
            names=tuple(column["name"].to_pylist()),
            groups=tuple(column["group"].to_pylist()),
            widths=stored_table.integers(table, "width_px"),
            heights=stored_table.integers(table, "height_px"),
        )
