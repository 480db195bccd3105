"""Write and read the training rows and class weights; never pixels."""

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
    """Training rows, the result of rebalancing.

    Attributes:
        indices: rows of the manifest, int64 (M,), ascending; a repeated row is seen more often.
        class_weights: factors of the loss, float64 (num_classes,), 1.0 where nothing is weighted.
        targets: rows per class, int64 (num_classes,), that a head trains on, synthetic features
            included; None where a head trains on the rows alone.
    """

    indices: np.ndarray
    class_weights: np.ndarray
    targets: np.ndarray | None = None

    @classmethod
    def untouched(cls, indices: np.ndarray, num_classes: int) -> "Rows":
        """Take each row once and each class as it is."""
        return cls(indices=indices, class_weights=np.ones(num_classes))

    def counts(self, labels: np.ndarray, num_classes: int) -> np.ndarray:
        """Count per class what a head trains on, synthetic features included, int64 (num_classes,).

        `labels` are the classes of every row of the manifest, int64 (N,).
        """
        rows = np.bincount(labels[self.indices], minlength=num_classes)
        return rows if self.targets is None else np.maximum(rows, self.targets)

    def write(self, path: Path) -> None:
        """Write the table; equal rows give equal bytes."""
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
        """Read the table.

        Raises:
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
