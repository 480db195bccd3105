"""`trainable: auto` through DVC: decision, picture, report, MLflow; else no picture."""

import json

import pytest

from tests.pipeline.project import Project, ran

pytestmark = pytest.mark.slow


def test_what_auto_chose_is_kept_drawn_and_told(copied: Project) -> None:
    figures = copied.folder / "reports/evaluate/figures"
    assert sorted(p.name for p in figures.glob("fine_tune_*")) == ["fine_tune_blocks.svg"]
    copied.set(transfer_learn__trainable="auto", fine_tune__trainable="auto")
    # Behind a head in closed form nothing is left to choose.
    copied.set(transfer_learn__solver="gradient", fine_tune__unfreeze_every=1)
    copied.run("dvc", "repro")
    report = (copied.folder / "reports/evaluate/report.md").read_text(encoding="utf-8")
    for stage in ("transfer_learn", "fine_tune"):
        reports = copied.folder / "reports" / stage
        decided = json.loads((reports / "decision.json").read_text(encoding="utf-8"))
        assert decided["trainable"] in ("head", "last_blocks")
        assert len(decided["profile"]["scores"]) == 9
        # A trunk that was trained on the training rows is measured on others.
        trained = stage == "fine_tune" and _trained_body(copied)
        assert decided["profile"]["split"] == ("val" if trained else "train")
        # Behind it stands what became of a training that was thrown away.
        assert f"- {stage}: {decided['reason']}" in report
        assert f"figures/{stage}_depth.png" in report
        assert (figures / f"{stage}_depth.png").is_file()
        run = next(r for r in reversed(copied.runs("stage")) if r.info.run_name == stage)
        assert run.data.tags[f"{stage}.decision"] == decided["reason"]
        drawn = next(r for r in reversed(copied.runs("stage")) if r.info.run_name == "evaluate")
        logged = {f.path for f in copied.client.list_artifacts(drawn.info.run_id)}
        assert {f"{stage}_depth.png", f"{stage}_blocks.svg"} <= logged


def _trained_body(project: Project) -> bool:
    text = (project.folder / "reports/transfer_learn/decision.json").read_text(encoding="utf-8")
    return bool(json.loads(text)["num_blocks"])


def test_equal_inputs_give_an_equal_choice(copied: Project) -> None:
    before = copied.hashes()
    copied.run("dvc", "repro", "--force", "--single-item", "fine_tune")
    assert copied.hashes() == before


def test_nothing_is_left_to_do(copied: Project) -> None:
    assert ran(copied.run("dvc", "repro")) == []


def test_dvc_shows_the_picture(copied: Project) -> None:
    shown = json.loads(copied.run("dvc", "plots", "show", "--json").stdout)
    assert "reports/evaluate/figures/fine_tune_depth.png" in json.dumps(shown["data"])
    assert not shown.get("errors")
