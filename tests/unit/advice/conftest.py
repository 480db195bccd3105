"""Figures to advise on, as they were measured on the digits, and other ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thawline.advice.facts import Cost, Facts
from thawline.features.layer_profile import BlockScore, Profile
from thawline.params import params_file
from thawline.params.schema.whole import Params

COSTS = {
    "tf_efficientnet_lite0": Cost(parameters=3_383_818, macs=31_352_192, size_mb=13.7),
    "tf_efficientnet_lite1": Cost(parameters=4_148_490, macs=40_926_080, size_mb=16.8),
    "tf_efficientnet_lite2": Cost(parameters=4_823_882, macs=46_970_304, size_mb=19.5),
}


def profile(*accuracies: float) -> Profile:
    scores = tuple(
        BlockScore(block=f"stage{i}", num_features=8, accuracy=a, error=0.005, logme=a)
        for i, a in enumerate(accuracies)
    )
    return Profile(scores=scores, split="train", num_rows=1000, num_classes=10)


def with_values(base: Params, values: dict[str, Any]) -> Params:
    """Params with dotted keys set, not validated anew."""
    for dotted, value in values.items():
        section, key = dotted.split(".")
        inner = getattr(base, section).model_copy(update={key: value})
        base = base.model_copy(update={section: inner})
    return base


@pytest.fixture
def facts(repository: Path) -> Callable[..., Facts]:
    def made(changed: dict[str, Any] | None = None, **figures: Any) -> Facts:
        values: dict[str, Any] = {
            "counts": np.array([100, 60, 5]),
            "image_size_px": 64,
            "side_px": 8,
            "colour": False,
            "profile": profile(0.7, 0.98, 0.9),
            "costs": COSTS,
            "pretrained_px": 224,
            "val_accuracy": None,
            "latency_ms": None,
            "timed_on": "",
            "gained": None,
            "num_test": 300,
            "quick_bfloat16": False,
        }
        read = with_values(params_file.load(repository / "params.yaml"), changed or {})
        return Facts(params=read, **{**values, **figures})

    return made
