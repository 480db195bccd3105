"""What `thawline study --set KEY=VALUE --seeds N` makes of a study's file."""

import html
from pathlib import Path

import pytest

from tests.unit.studies.conftest import TEXT
from thawline.errors import UserError
from thawline.params.schema.whole import Params
from thawline.studies import plan, report
from thawline.studies.changes import NOTHING, Changes
from thawline.studies.summary import summarise


def changed(tmp_path: Path, project: Params, changes: Changes) -> plan.Study:
    path = tmp_path / "tiny.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return changes.planned(path, project)


def test_a_value_goes_before_the_files_and_after_an_axis(tmp_path: Path, project: Params) -> None:
    words = ["fine_tune.epochs=7", "fine_tune.momentum=0.5", "ingest.background=[1, 2, 3]"]
    study = changed(tmp_path, project, Changes.parse(words, None, project))
    found = [contender.overrides for contender in study.contenders]
    assert {o["fine_tune.epochs"] for o in found} == {7}
    assert {o["fine_tune.momentum"] for o in found} == {0.0, 0.9}
    assert found[0]["ingest.background"] == [1, 2, 3]


def test_the_first_seeds_run(tmp_path: Path, project: Params) -> None:
    seeds = {
        number: changed(tmp_path, project, Changes(seeds=number)).definition.seeds
        for number in (None, 1, 9)
    }
    assert seeds == {None: [3, 1], 1: [3], 9: [3, 1]}


def test_the_report_says_what_was_changed(tmp_path: Path, project: Params) -> None:
    changes = Changes.parse(["fine_tune.epochs=7"], 1, project)
    text = report.markdown(summarise(changed(tmp_path, project, changes), []))
    assert "--set fine_tune.epochs=7 --seeds 1" in html.unescape(text)
    plain = report.markdown(summarise(changed(tmp_path, project, NOTHING), []))
    assert "Run with" not in plain


@pytest.mark.parametrize(
    ("words", "seeds", "said"),
    [
        (["fine_tune.epochs"], None, "--set: 'fine_tune.epochs' is not allowed; KEY=VALUE is"),
        (["fine_tune.epoch=1"], None, "--set: 'fine_tune.epoch' is unknown; allowed: fine_tune."),
        (["nothing=1"], None, "allowed: seed, ingest, rebalance"),
        (["seed=1"], None, "--set: seed: a study's file lists its seeds"),
        (["fine_tune.epochs=["], None, "--set fine_tune.epochs: not valid YAML"),
        ([], 0, "--seeds: 0 is not allowed"),
    ],
)
def test_a_mistake_is_one_line(
    project: Params, words: list[str], seeds: int | None, said: str
) -> None:
    with pytest.raises(UserError) as caught:
        Changes.parse(words, seeds, project)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_value_is_checked_as_in_the_file(tmp_path: Path, project: Params) -> None:
    changes = Changes.parse(["fine_tune.epochs=none"], None, project)
    with pytest.raises(UserError, match=r"fine_tune\.epochs: 'none' is not allowed"):
        changed(tmp_path, project, changes)
