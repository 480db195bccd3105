"""Studies in text, and predictions with a planted accuracy."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.studies import definition, plan
from thawline.studies.scores import ScoredRows

TEXT = """\
claim: Augmentation helps.
question: Does it here?
base: {fine_tune.epochs: 2}
axes:
  - label: [a, b]
    augment.policy: [none, light]
  - fine_tune.momentum: [0.0, 0.9]
seeds: [3, 1]
measure: fine_tune.val_accuracy
smallest_effect: 0.02
comparisons:
  - says: light helps
    baseline: a, 0.0
    contenders: ["b, 0.0", "b, 0.9"]
    expect: better
"""
Planned = Callable[..., plan.Study]


@pytest.fixture(scope="session")
def project(repository: Path) -> Params:
    return params_file.load(repository / "params.yaml")


@pytest.fixture
def planned(tmp_path: Path, project: Params) -> Planned:
    """A study from TEXT with `old` replaced by `new`."""

    def make(old: str = "", new: str = "") -> plan.Study:
        assert old in TEXT
        path = tmp_path / "tiny.yaml"
        path.write_text(TEXT.replace(old, new) if old else TEXT, encoding="utf-8")
        return plan.study(path, definition.load(path), project)

    return make


def rows(accuracy: float, seed: int, number: int = 200, num_classes: int = 4) -> ScoredRows:
    """Predictions that are right with the probability; the images of a seed are always the same."""
    labels = np.random.default_rng(seed).integers(num_classes, size=number)
    rng = np.random.default_rng((seed, int(1e6 * accuracy)))
    wrong = rng.random(number) >= accuracy
    return ScoredRows(
        ids=np.array([f"{seed}-{k}" for k in range(number)]),
        labels=labels,
        predicted=np.where(wrong, (labels + 1) % num_classes, labels),
        rare=np.arange(num_classes) == 0,
    )
