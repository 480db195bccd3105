"""What DVC takes from its run cache is recorded as restored, with the runs that made it."""

import pytest

from tests.pipeline.project import STAGES, Project, ran, restored

pytestmark = pytest.mark.slow
FLIPPED = ("compress", "evaluate")


@pytest.mark.ci
def test_thawline_run_names_what_was_restored(copied: Project) -> None:
    hashes = copied.hashes()
    copied.set(compress__check_images=17)
    assert ran(copied.run("thawline", "run")) == list(FLIPPED)
    copied.set(compress__check_images=16)
    back = copied.run("thawline", "run")
    assert (ran(back), restored(back)) == ([], list(FLIPPED))
    assert copied.hashes() == hashes
    first, changed, parent = copied.runs("pipeline")
    assert parent.info.status == "FINISHED"
    for name in STAGES:
        fate = "restored" if name in FLIPPED else "skipped"
        assert parent.data.tags[f"stage.{name}"] == fate
        run_id = f"stage.{name}.run_id"
        assert parent.data.tags[run_id] == first.data.tags[run_id]
        assert (changed.data.tags[run_id] != first.data.tags[run_id]) == (name in FLIPPED)
    assert parent.data.metrics["compress.macro_f1"] == first.data.metrics["compress.macro_f1"]
    assert parent.inputs.dataset_inputs[0].dataset.name == "digits"


def test_bare_dvc_and_thawline_log_do_likewise(copied: Project) -> None:
    before = copied.runs("pipeline")
    copied.set(evaluate__calibration_bins=5)
    assert ran(copied.run("dvc", "repro")) == ["evaluate"]
    copied.set(evaluate__calibration_bins=15)
    back = copied.run("dvc", "repro")
    assert (ran(back), restored(back)) == ([], ["evaluate"])
    assert "1 restored run(s) recorded" in copied.run("thawline", "log").stdout
    assert "nothing to log" in copied.run("thawline", "log").stdout
    changed, parent = copied.runs("pipeline")[len(before) :]
    assert (changed.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    for name in STAGES:
        assert parent.data.tags[f"stage.{name}"] == "restored"
        run_id = f"stage.{name}.run_id"
        assert parent.data.tags[run_id] == before[0].data.tags[run_id]
