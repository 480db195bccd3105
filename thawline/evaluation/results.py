"""Read and hold the two result files: what is reproducible, and what was measured.

metrics.json, per checkpoint (`int8` among them when compress kept such a file): num_images,
parameters, macs, size_mb; with their 95 % intervals
(NAME_low, NAME_high) accuracy, balanced_accuracy, macro_f1, rare_recall, nll, brier; without, kappa
and top_K_accuracy, macro_roc_auc, macro_average_precision, ece, mean_entropy, aurc,
accuracy_at_80_coverage; and temperature, with nll_scaled and ece_scaled after it.
speed.json, per checkpoint: runtime, gpu (its name, if it ran on one), threads, latency_ms,
latency_p95_ms, latency_p99_ms, throughput_per_s, batch_size, throughput_by_batch, best_batch,
repeats, peak_memory_mb, runtime_memory_mb; and `device`, the CPU: name, instructions, threads,
torch, onnxruntime, fingerprint.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from thawline.errors import UserError
from thawline.runtime import safe_json

DIRECTORY = Path("reports/evaluate")
INT8 = "int8"
"""Checkpoint name of the int8 file beside the last one."""
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """Results of the checkpoints in the pipeline's order.

    The last one is what ships, except for an int8 form of it.
    """

    metrics: Mapping[str, Values]
    speed: Mapping[str, Values]

    @property
    def device(self) -> Values:
        return self.speed.get("device", {})

    @property
    def on_gpu(self) -> dict[str, str]:
        """Names of the checkpoints that were timed on a GPU, with the GPU's name."""
        rows = {name: self.of(name) for name in self.metrics}
        return {name: row["gpu"] for name, row in rows.items() if "gpu" in row}

    @property
    def final(self) -> str:
        return [name for name in self.metrics if name != INT8][-1]

    def of(self, checkpoint: str) -> dict[str, Any]:
        """Return all results of one checkpoint."""
        return {**self.metrics[checkpoint], **self.speed.get(checkpoint, {})}

    @classmethod
    def read(cls, directory: Path = DIRECTORY) -> Self:
        """Read both files.

        Raises:
            UserError: a file is missing, is not JSON, or holds no checkpoint.
        """
        metrics = _read(directory / "metrics.json")
        if not metrics:
            raise UserError(f"{directory / 'metrics.json'}: holds no checkpoint; run `dvc repro`")
        return cls(metrics, _read(directory / "speed.json"))


def _read(path: Path) -> dict[str, Values]:
    try:
        values = safe_json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: not there yet; run `dvc repro`") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}; run `dvc repro`") from error
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        raise UserError(f"{path}: must map checkpoints to their numbers; run `dvc repro`")
    return values
