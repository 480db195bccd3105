"""Which rows a network trains on, and how much each class counts; never pixels."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from thawline.dataset import stored_table
from thawline.runtime import safe_json
from thawline.runtime.output_paths import intact

_WEIGHTS = b"class_weights"
_TARGETS = b"targets"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The result of rebalancing.

    Attributes:
        indices: int64 (M,), rows of the manifest, ascending; a repeated row is seen more often.
        class_weights: float64 (num_classes,), factors of the loss, 1.0 where nothing is weighted.
        targets: rows per class, int64 (num_classes,), that a head trains on, made up by synthetic
            features; None where a head trains on the rows alone.
    """

    indices: np.ndarray
    class_weights: np.ndarray
    targets: np.ndarray | None = None

    @classmethod
    def untouched(cls, indices: np.ndarray, num_classes: int) -> "Rows":
        """Each row once, each class as it is."""
        return cls(indices=indices, class_weights=np.ones(num_classes))

    def counts(self, labels: np.ndarray, num_classes: int) -> np.ndarray:
        """What a head trains on per class, synthetic features included, int64 (num_classes,).

        Args:
            labels: class of every row of the manifest, int64 (N,).
        """
        rows = np.bincount(labels[self.indices], minlength=num_classes)
        return rows if self.targets is None else np.maximum(rows, self.targets)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = {_WEIGHTS: json.dumps(self.class_weights.tolist())}
        if self.targets is not None:
            metadata[_TARGETS] = json.dumps(self.targets.tolist())
        table = pa.table({"row": pa.array(self.indices, pa.int64())}).replace_schema_metadata(
            metadata
        )
        pq.write_table(table, path, compression="zstd")

    @classmethod
    def read(cls, path: Path) -> "Rows":
        """Raises:
        UserError: the file is missing, damaged, or another table.
        """
        with intact(path):
            table = stored_table.read(path)
            weights = safe_json.loads(table.schema.metadata[_WEIGHTS])
            targets = table.schema.metadata.get(_TARGETS)
            made_up = None if targets is None else safe_json.loads(targets)
            return cls(
                indices=stored_table.integers(table, "row"),
                class_weights=np.array(weights, dtype=np.float64),
                targets=None if made_up is None else np.array(made_up, dtype=np.int64),
            )
