"""The parts of a search that are not Optuna's, against a real Optuna storage."""

import json
from pathlib import Path

import pytest

from thawline.errors import UserError
from thawline.flows import search
from thawline.studies.definition import Definition
from thawline.studies.records import TrialRecord

CHOICES = [[], [1, 1, 1, 2]]


@pytest.fixture
def definition() -> Definition:
    return Definition.model_validate(
        {
            "claim": "x", "question": "x", "base": {}, "seeds": [0], "smallest_effect": 0.01,
            "measure": "fine_tune.val_accuracy",
            "search": {"trials": 9, "space": {
                "fine_tune.num_blocks": {"low": 1, "high": 4},
                "fine_tune.learning_rate": {"low": 0.001, "high": 0.1, "log": True},
                "model.design.dilation": CHOICES,
            }},
        }
    )  # fmt: skip


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("THAWLINE_PROJECT", str(tmp_path))
    return f"sqlite:///{tmp_path / 'optuna.db'}"


@pytest.mark.slow
@pytest.mark.ci
def test_a_search_goes_on_where_it_was(storage: str, definition: Definition) -> None:
    for seed in range(4):
        found = search.open_search("mine", storage, seed)
        assert len(found.trials) == seed
        asked = found.ask()
        values = search.propose(asked, definition)
        assert 1 <= values["fine_tune.num_blocks"] <= 4
        assert isinstance(values["fine_tune.num_blocks"], int)
        assert 0.001 <= values["fine_tune.learning_rate"] <= 0.1
        assert values["model.design.dilation"] in CHOICES
        found.tell(asked, [0.9, 1.0 + seed, 2.0])
    assert [t.number for t in search.open_search("mine", storage).best_trials] == [0]


@pytest.mark.slow
@pytest.mark.ci
def test_below_the_median_it_is_pruned(
    storage: str, definition: Definition, tmp_path: Path
) -> None:
    path = tmp_path / "reports/transfer_learn/metrics.json"
    path.parent.mkdir(parents=True)
    said = []
    for early in (0.5, 0.6, 0.7, 0.8, 0.9, 0.65, 0.75):
        path.write_text(json.dumps({"val_macro_f1": early}), encoding="utf-8")
        found = search.open_search("mine", storage)
        said.append(search.Median(found, found.ask(), definition)(tmp_path))
    assert said[:5] == [None] * 5
    assert said[5] == "pruned: 0.6500 before the last stage, the median is 0.7000"
    assert said[6] is None


def test_objectives_are_of_all_seeds(definition: Definition) -> None:
    common = {"study": "x", "contender": "x", "overrides": {}, "state": "complete"}
    records = [
        TrialRecord(key="a", seed=0, values={"val_accuracy": 0.8, "size_mb": 3.0},
               costs={"latency_ms": 2.0}, **common),
        TrialRecord(key="b", seed=1, values={"val_accuracy": 0.9, "size_mb": 3.0}, **common),
    ]  # fmt: skip
    assert search.objectives(records, definition) == pytest.approx([0.85, 2.0, 3.0])


def test_a_trial_is_called_by_its_settings() -> None:
    values = {"fine_tune.learning_rate": 0.012345, "augment.policy": "light", "x.num_blocks": 3}
    assert search.settings(values) == "learning_rate 0.0123, policy light, num_blocks 3"


def test_a_storage_that_is_none_is_named(storage: str) -> None:
    with pytest.raises(UserError, match=r"--storage: nowhere/x cannot be used"):
        search.open_search("x", "nosuch://me:secret@nowhere/x")
