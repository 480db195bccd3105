"""Estimate how long runs will take, from the records of runs before or from a rough rate."""

import statistics
from collections.abc import Sequence

from benchmarks.own_images.records import OURS, Record, Run

_PASSES = {
    OURS: 20, "fastai": 9, "recipe": 15, "lightning": 16, "logistic": 0.4, "logistic-cv": 0.6
}  # fmt: skip
"""Over the training images, in training steps."""
_LOOKS = 5
"""At the test images, each of which takes a third of a step."""
_PER_IMAGE_S = {64: 0.004, 128: 0.012, 224: 0.035}
"""Of a training step on two cores, by the side of the image; the nearest is taken."""
_FIXED_S = 8.0


def seconds(run: Run, num_train: int, num_test: int, known: Sequence[Record]) -> float:
    """Estimate one run: roughly, corrected by what runs of the same tool and size took."""
    alike = [
        record.wall_s / _rough(record.run, record.train, len(record.labels))
        for record in known
        if (record.run.tool, record.run.size_px) == (run.tool, run.size_px)
    ]
    correction = statistics.median(alike) if alike else 1.0
    return correction * _rough(run, num_train, num_test)


def worded(total: float) -> str:
    """Say a duration in hours or minutes."""
    return f"{total / 3600:.1f} h" if total >= 5400 else f"{total / 60:.0f} min"


def _rough(run: Run, num_train: int, num_test: int) -> float:
    size = min(_PER_IMAGE_S, key=lambda known: abs(known - (run.size_px or 64)))
    looks = 1 if run.tool.startswith("logistic") else _LOOKS
    return _FIXED_S + _PER_IMAGE_S[size] * (_PASSES[run.tool] * num_train + looks * num_test / 3)
