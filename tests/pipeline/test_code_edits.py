"""An edit of code re-runs exactly the stages that it is part of."""

import json

import pytest

from tests.pipeline.project import STAGES, Project, begun, ran, wait_for

pytestmark = pytest.mark.slow


def _edit(project: Project, file: str, old: str = "", new: str = "") -> None:
    """Replace what stands once in a file; without it, add a comment."""
    path = project.folder / file
    text = path.read_text(encoding="utf-8")
    assert not old or text.count(old) == 1
    edited = text.replace(old, new) if old else f"{text}\n# An edit.\n"
    path.write_text(edited, encoding="utf-8")


@pytest.mark.ci
@pytest.mark.parametrize("file", ["thawline/rebalance/none.py", "thawline/tracking/client.py"])
def test_code_that_makes_no_output_reruns_nothing(copied: Project, file: str) -> None:
    """A strategy that is not selected, and tracking, which leaves outputs alone."""
    _edit(copied, file)
    before = len(copied.runs("pipeline"))
    done = copied.run("thawline", "run")
    assert begun(done) == ["code"]
    assert "nothing to do: every stage is up to date" in done.stdout
    assert len(copied.runs("pipeline")) == before
    assert json.loads(copied.run("dvc", "status", "--json").stdout) == {}


@pytest.mark.parametrize("text", ["", "<<<<<<< HEAD\nstages:\n=======\n>>>>>>> other\n", None])
def test_a_broken_file_of_hashes_is_written_anew(copied: Project, text: str | None) -> None:
    file = copied.folder / "code.yaml"
    before = file.read_bytes()
    file.unlink()
    if text is not None:
        file.write_text(text, encoding="utf-8")
    done = copied.run("thawline", "run")
    assert begun(done) == ["code"]
    assert file.read_bytes() == before


@pytest.mark.ci
def test_a_colour_reruns_what_draws(copied: Project) -> None:
    before = copied.hashes()
    _edit(copied, "thawline/plots/style.py", '"#2a6fb0"', '"#2a6fb1"')
    assert begun(copied.run("dvc", "repro")) == ["code", "pictures", "evaluate"]
    after = copied.hashes()
    changed = {path for path in before if after[path] != before[path]}
    assert changed == {"code.yaml", "reports/ingest/pictures", "reports/evaluate/figures"}


def test_the_training_loop_reruns_the_trainings_and_what_follows(copied: Project) -> None:
    old = "recipe.learning_rate, recipe.layer_decay)"
    _edit(copied, "thawline/training/train_step.py", old, f"2 * {old}")
    follows = ["transfer_learn", "fine_tune", "compress", "evaluate"]
    assert begun(copied.run("dvc", "repro")) == ["code", *follows]


def test_a_used_module_reruns_the_stages_that_are_made_of_it(copied: Project) -> None:
    _edit(copied, "thawline/augment/_preview.py")
    assert begun(copied.run("dvc", "repro")) == ["code", "augment"]
    _edit(copied, "thawline/dataset/rows.py")
    copied.run("dvc", "repro", "code")
    changed = set(json.loads(copied.run("dvc", "status", "--json").stdout))
    assert changed == set(STAGES) - {"ingest", "pictures"}
    up_to = ["rebalance", "augment", "transfer_learn"]
    assert ran(copied.run("dvc", "repro", "transfer_learn")) == up_to


def _edit_during_ingest(copied: Project, until: str, file: str) -> str:
    """Edit a file once `ingest` is at work in `dvc repro`; gives what that said."""
    staging = copied.folder / ".thawline/staging"
    run = copied.start("dvc", "repro", until)
    wait_for(lambda: any(staging.glob("*")) or run.poll() is not None, 200, "for the stage")
    _edit(copied, file)
    assert run.wait(300) == 255
    return copied.output_file.read_text(encoding="utf-8")


def test_an_edit_of_the_code_of_a_running_stage_is_told(copied: Project) -> None:
    copied.run("dvc", "repro", "ingest")
    copied.set(ingest__test_ratio=0.25)
    said = _edit_during_ingest(copied, "ingest", "thawline/ingest/collect.py")
    assert "thawline/ingest/collect.py: was changed while the stage ran: its result is not" in said
    assert begun(copied.run("dvc", "repro", "ingest")) == ["code", "ingest"]


def test_an_edit_of_the_code_of_a_stage_that_is_to_come_stops_it(copied: Project) -> None:
    copied.set(ingest__test_ratio=0.3)
    said = _edit_during_ingest(copied, "rebalance", "thawline/dataset/rows.py")
    assert "stages.rebalance: the code was edited since it was described, while the run" in said
    assert begun(copied.run("dvc", "repro", "rebalance")) == ["code", "rebalance"]
