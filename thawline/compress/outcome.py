"""What the stage did, in a sentence for a person; from its metrics, so that the report has it."""

from collections.abc import Mapping
from typing import Any

_POINTS = 100


def describe(metrics: Mapping[str, Any]) -> dict[str, str]:
    """What the report says of the stage.

    Args:
        metrics: reports/compress/metrics.json.
    """
    return {"compress": describe_int8(metrics["int8"])} if "int8" in metrics else {}


def describe_int8(metrics: Mapping[str, Any]) -> str:
    """Whether there is an int8 file, and why.

    Args:
        metrics: `int8` of reports/compress/metrics.json.
    """
    if "drop" not in metrics:
        return "there is no int8 file, since ONNX Runtime could not quantise the network"
    kept = "kept" if metrics["kept"] else "not kept"
    more = "" if metrics["kept"] else ", more than compress.quantize.max_drop allows"
    return (
        f"the int8 file was {kept}: it names the same class as float for "
        f"{_POINTS * metrics['agreement']:.1f} % of {metrics['num_images']:,} validation images "
        f"and {_lost(metrics['drop'])}{more}"
    )


def _lost(drop: float) -> str:
    points = abs(round(_POINTS * drop, 1))
    return f"{'loses' if drop >= 0 else 'gains'} {points:.1f} points of accuracy"
