"""Values of the training sections that do not go together are refused in one line."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.params.conftest import changed, message
from thawline.params import params_file


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"fine_tune.schedule": "one_cycle", "fine_tune.warmup_ratio": 0.0},
            "fine_tune.warmup_ratio: 0",
        ),
        (
            {"fine_tune.schedule": "one_cycle", "fine_tune.optimizer": "adam_then_sgd"},
            "fine_tune.schedule: 'one_cycle' is for one optimizer",
        ),
        ({"fine_tune.distill.weight": 0.5}, "fine_tune.distill.checkpoint: 'data/none'"),
        (
            {
                "fine_tune.distill.weight": 0.5,
                "fine_tune.distill.checkpoint": "models/large",
                "fine_tune.cache": "views",
            },
            "fine_tune.distill.weight: 0.5 needs images",
        ),
        ({"fine_tune.cache": "views", "fine_tune.mixup_alpha": 0.2}, "fine_tune.mixup_alpha: 0.2"),
        (
            {"transfer_learn.solver": "ridge", "transfer_learn.trainable": "last_blocks"},
            "transfer_learn.solver: 'ridge' solves a head on frozen blocks, but "
            "transfer_learn.trainable: last_blocks trains blocks; allowed with it: auto, gradient",
        ),
        (
            {"transfer_learn.solver": "ridge", "model.weights": "none"},
            "transfer_learn.solver: 'ridge' reads features of a pretrained network, and "
            "model.weights: none has no such features; allowed with it: auto, gradient",
        ),
        (
            {"transfer_learn.loss": "focal"},
            "transfer_learn.loss: 'focal' needs a head that trains, and transfer_learn.solver: "
            "auto solves it in closed form; allowed with it: cross_entropy, or solver: gradient",
        ),
        (
            {"transfer_learn.logit_adjustment": 1.0, "transfer_learn.solver": "ridge"},
            "transfer_learn.logit_adjustment: 1 needs a head that trains",
        ),
        (
            {"fine_tune.optimizer": "adadelta"},
            "fine_tune.learning_rate: 'auto' has rates for sgd and adam, not for adadelta",
        ),
        ({"training.precision": "float16"}, "training.precision"),
        ({"training.cache_gb": -1.0}, "training.cache_gb"),
        ({"fine_tune.accumulate": 0}, "fine_tune.accumulate"),
    ],
)
def test_training_values_that_do_not_go_together(
    repository: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    expected: str,
) -> None:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    for key, value in changes.items():
        text = changed(text, key, value)
    monkeypatch.chdir(tmp_path)
    params_file.FILE.write_text(text, encoding="utf-8")
    assert expected in message(params_file.FILE)


@pytest.mark.parametrize(
    "changes",
    [
        {"transfer_learn.solver": "gradient", "transfer_learn.levels": "last"},
        {"transfer_learn.solver": "gradient", "transfer_learn.loss": "focal"},
        {"transfer_learn.solver": "gradient", "transfer_learn.trainable": "all"},
        {"transfer_learn.solver": "gradient", "model.weights": "none"},
        {"transfer_learn.trainable": "all", "transfer_learn.logit_adjustment": 1.0},
        {"model.weights": "none", "transfer_learn.loss": "focal"},
        {"transfer_learn.solver": "ridge", "transfer_learn.levels": "last"},
        {"transfer_learn.solver": "ridge", "transfer_learn.trainable": "head"},
        {"fine_tune.optimizer": "adadelta", "fine_tune.learning_rate": 1.0},
    ],
    ids=str,
)
def test_training_values_that_do_go_together(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    for key, value in changes.items():
        text = changed(text, key, value)
    monkeypatch.chdir(tmp_path)
    params_file.FILE.write_text(text, encoding="utf-8")
    flat = params_file.flatten(params_file.load(params_file.FILE))
    assert {key: flat[key] for key in changes} == changes
