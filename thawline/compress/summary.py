"""Describe the stage's results in sentences for a person, from its metrics."""

from collections.abc import Callable, Mapping
from typing import Any

_POINTS = 100


def describe(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Describe the stage for the report, from the metrics in reports/compress/metrics.json."""
    found = sentences(metrics)
    return {"compress": "; ".join(found)} if found else {}


def tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the sentences as tags for MLflow."""
    makers: dict[str, Callable[[Any], str]] = {
        "pruning": _pruning,
        "int8": _int8,
        "refit": _refit,
    }
    return {f"compress.{key}": make(metrics[key]) for key, make in makers.items() if key in metrics}


def sentences(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """Write a sentence each on pruning, int8 and the last fit, as far as they were done."""
    return tuple(tags(metrics).values())


def _pruning(found: Mapping[str, Any]) -> str:
    return (
        f"the network with {_POINTS * found['ratio']:.0f} % of the channels removed ships, since "
        f"{found['reason']}: "
        f"accuracy {_POINTS * found['val_accuracy']:.1f} % on validation images, with "
        f"{_POINTS * found['macs'] / found['whole_macs']:.0f} % of the operations"
    )


def _int8(found: Mapping[str, Any]) -> str:
    if "drop" not in found:
        return "there is no int8 file, since ONNX Runtime could not quantise the network"
    kept = "kept" if found["kept"] else "not kept"
    more = "" if found["kept"] else ", more than compress.quantize.max_drop allows"
    floats = found.get("float_convolutions", 1)
    part = f", with the first {floats} convolutions in float" if floats > 1 else ""
    return (
        f"the int8 file was {kept}{part}: it predicts the same class as float for "
        f"{_POINTS * found['agreement']:.1f} % of {found['num_images']:,} validation images "
        f"and {_lost(found['drop'])}{more}"
    )


def _refit(found: Mapping[str, Any]) -> str:
    return (
        f"the head that ships was fitted to the {found['num_images']:,} validation images too, "
        f"once all was chosen: accuracy {_POINTS * found['accuracy']:.1f} % on them, each left out "
        "of the fit that judges it"
    )


def _lost(drop: float) -> str:
    points = abs(round(_POINTS * drop, 1))
    return f"{'loses' if drop >= 0 else 'gains'} {points:.1f} points of accuracy"
