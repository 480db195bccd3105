"""The recipe for training without pretrained weights is one, wherever it stands."""

import pytest
from ruamel.yaml import YAML

from tests.repo.code_graph import ROOT
from thawline.advice import from_scratch
from thawline.params import params_file
from thawline.params.proposal import current
from thawline.studies import definition, plan


def test_the_file_for_dvc_says_what_advice_proposes() -> None:
    lines = (ROOT / "docs/from_scratch.txt").read_text(encoding="utf-8").split()
    pairs = [line.split("=") for line in lines]
    written = {key: YAML(typ="safe").load(value) for key, value in pairs}
    first, second = from_scratch.TRANSFER_LEARN, from_scratch.FINE_TUNE
    proposed = {f"transfer_learn.{key}": value for key, value in first.items()}
    proposed |= {f"fine_tune.{key}": value for key, value in second.items()}
    assert written == {"model.weights": "none", **proposed}
    known = params_file.flatten(params_file.load(ROOT / "params.yaml"))
    assert written.keys() <= known.keys()


@pytest.mark.parametrize("file", ["studies/designs.yaml", "docs/families.yaml"])
def test_a_study_from_scratch_departs_from_it_in_length_alone(file: str) -> None:
    path, project = ROOT / file, params_file.load(ROOT / "params.yaml")
    planned = plan.study(path, definition.load(path), project)
    for contender in planned.contenders:
        chosen = plan.checked(path, project, contender.overrides, contender.label)
        proposed = from_scratch.propose(chosen, "transfer_learn")
        differing = {p.key for p in proposed if current(chosen, p.key) != p.value}
        assert "transfer_learn.epochs" in differing, contender.label
        assert differing <= {"transfer_learn.epochs", "transfer_learn.patience"}, contender.label
