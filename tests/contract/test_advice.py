"""Every rule of `thawline advise`, on data sets of many kinds."""

import io
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from tests.unit.advice.conftest import COSTS, profile, with_values
from thawline.advice import proposing
from thawline.advice.facts import Facts
from thawline.advice.proposing import RULES, propose
from thawline.params import edit, params_file
from thawline.params.proposal import current
from thawline.params.schema.whole import Params

OF_THE_RUN_BEFORE: dict[str, Any] = {"val_accuracy": None, "gained": None, "latency_ms": None}
"""Once params are others, nothing is known of what they make: thawline/advice/provenance.py."""
REAL = Path(__file__).parents[2] / "params.yaml"


def kinds() -> Iterator[Facts]:
    """Figures at their ends, in every combination that matters."""
    read = params_file.load(REAL)
    counts = ([50, 50], [1000, 3], [400, 100, 100], [5, 0, 5], list(range(1, 300)))
    profiles = (None, profile(), profile(0.9), profile(0.5, 0.9, 0.7, 0.6))
    for count, found, side in itertools.product(counts, profiles, (8, 300)):
        values = {
            "model.weights": "none" if found is None else "imagenet",
            "rebalance.strategy": "smote",
            "transfer_learn.trainable": "last_blocks",
            "transfer_learn.num_blocks": 1,
            "transfer_learn.mixup_alpha": 0.0 if found is None else 0.2,
            "budget.max_latency_ms": 1.0,
            "budget.min_accuracy": 0.99,
            "evaluate.bootstrap_samples": 500,
            "augment.policy": "characters",
            "ingest.image_size_px": 64,
            "ingest.near_duplicate_distance": None,
            "training.precision": "float32",
        }
        yield Facts(
            params=with_values(read, values),
            counts=np.array(count),
            image_size_px=64,
            side_px=side,
            colour=side > 8,
            profile=found,
            costs=COSTS,
            pretrained_px=224,
            val_accuracy=0.9,
            latency_ms=2.0 if side > 8 else None,
            timed_on="a CPU",
            gained=0.1 - 0.01 * side,
            num_test=side,
            quick_bfloat16=side > 8,
        )


def test_every_rule_is_of_a_section_of_params() -> None:
    files = {p.stem for p in (Path(proposing.__file__).parent / "rules").glob("[!_]*.py")}
    assert files == set(RULES)
    assert files <= set(Params.model_fields)


@pytest.mark.parametrize("name", tuple(RULES))
def test_it_proposes_for_its_own_section_with_rule_and_figure(name: str) -> None:
    rule, known = RULES[name], params_file.load(REAL)
    made = [p for facts in kinds() for p in rule.propose(facts)]
    assert made, "no kind of data set makes it propose anything"
    for proposal in made:
        assert proposal.key.startswith(f"{name}.")
        current(known, proposal.key)  # AttributeError: no such key
        for text in (proposal.rule, proposal.figure):
            assert text
            assert text.isprintable()


@pytest.mark.parametrize("name", tuple(RULES))
def test_equal_figures_give_equal_proposals(name: str) -> None:
    rule = RULES[name]
    for first, second in zip(kinds(), kinds(), strict=True):
        assert rule.propose(first) == rule.propose(second)


@pytest.mark.slow
@pytest.mark.ci
def test_what_is_proposed_together_is_valid_and_settles(tmp_path: Path) -> None:
    """Written into params, it is accepted, and nothing is left to propose: one step is all."""
    for facts in kinds():
        file = tmp_path / "params.yaml"
        file.write_text(_dumped(facts.params), encoding="utf-8")
        proposals = propose(facts)
        assert len({p.key for p in proposals}) == len(proposals)
        edit.write(proposals, file)
        settled = params_file.load(file)
        assert propose(replace(facts, params=settled, **OF_THE_RUN_BEFORE)) == []


def _dumped(read: Params) -> str:
    out = io.StringIO()
    content: Any = read.model_dump(mode="json")
    YAML(typ="safe", pure=True).dump(content, out)
    return out.getvalue()
