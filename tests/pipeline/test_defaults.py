"""params.yaml as it comes, with images of one's own: what `auto` decides, again and elsewhere."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.pipeline.project import STAGES, Project, make, ran, restored, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.ci]
OWN = {"ingest.source": "folder", "ingest.path": "pictures", "ingest.options": {}}
PER_CLASS = 76
"""Some 110 validation images: fewer cannot tell whether fine-tuning gains."""
NOISE = 90.0
"""Standard deviation in grey values: some digits have to be hard to tell, else the first answer
stands and nothing is fine-tuned."""


def _fill(folder: Path) -> None:
    """Noisy digits of 16 px, a folder for each class."""
    rng, digits = np.random.default_rng(0), load_digits()
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for number, image in enumerate(digits.images[digits.target == label][:PER_CLASS]):
            grey = 15 * image.repeat(2, axis=0).repeat(2, axis=1)
            grey = np.clip(grey + rng.normal(0, NOISE, grey.shape), 0, 255).astype(np.uint8)
            Image.fromarray(grey).save(folder / str(label) / f"{number:02d}.png")


def _make(folder: Path) -> Project:
    project = make(folder, OWN)
    _fill(project.folder / "pictures")
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = _make(tmp_path_factory.mktemp("defaults") / "a project")
    made.first = made.run("dvc", "repro")
    yield made
    made.end()


@pytest.fixture
def anew(project: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy without features that were kept, so that a stage has something to do."""
    copied = project.copy(tmp_path / "a copy")
    shutil.rmtree(copied.folder / ".thawline" / "features")
    yield copied
    copied.end()


def _json(project: Project, path: str) -> Any:
    return json.loads((project.folder / path).read_text(encoding="utf-8"))


def _said(project: Project, name: str) -> dict[str, str]:
    (run,) = [run for run in project.runs("stage") if run.info.run_name == name]
    return dict(run.data.tags)


def test_seven_stages_run_on_params_as_they_come(project: Project, repository: Path) -> None:
    assert project.first is not None
    assert ran(project.first) == list(STAGES)
    params, ours = project.yaml("params.yaml"), Project(repository).yaml("params.yaml")
    ours["ingest"] |= {key.partition(".")[2]: value for key, value in OWN.items()}
    assert params == ours


def test_ingest_says_what_it_decided(project: Project) -> None:
    decided = _json(project, "data/ingest/decided.json")
    assert set(decided) == {
        "image_size_px", "fit", "background", "bit_depth", "near_duplicate_distance",
    }  # fmt: skip
    for key, decision in decided.items():
        assert decision["auto"] == (key != "bit_depth"), key
        assert decision["reason"], key
    assert decided["image_size_px"]["value"] in (64, 96, 128)
    assert "16 px" in decided["image_size_px"]["reason"]


def test_rebalance_and_augment_say_what_they_decided(project: Project) -> None:
    assert project.first is not None
    assert f"rebalance: auto: {_said(project, 'rebalance')['rebalance.reason']}" in (
        project.first.stderr
    )
    decided = _json(project, "reports/augment/decision.json")
    assert decided["policy"] == "auto"
    assert "mirrored copies" in decided["reason"]
    assert _said(project, "augment")["augment.decided"] == decided["reason"]
    steps = {step["name"] for step in _json(project, "data/augment/policy.json")}
    assert ("HorizontalFlip" in steps) == ("not mirrored" not in decided["reason"])


def test_the_head_is_solved_and_what_it_reads_is_told(project: Project) -> None:
    decided = _json(project, "reports/transfer_learn/decision.json")
    head = decided["head"]
    assert head["chosen"] in head["tried"]
    assert len(head["tried"]) > 10
    assert 0.5 < head["accuracy"] <= 1
    # A head that reads anything but the last block ends the network there.
    levels = _json(project, "models/transfer_learn/model.json").get("levels", [])
    named = [f"{level['block']} {level['grid']}x{level['grid']}" for level in levels]
    assert named == (head["chosen"]["blocks"] if named else [])
    report = (project.folder / "reports/evaluate/report.md").read_text(encoding="utf-8")
    assert decided["reason"] in report


def test_fine_tuning_says_what_became_of_it(project: Project) -> None:
    decided = _json(project, "reports/fine_tune/decision.json")
    metrics = _json(project, "reports/fine_tune/metrics.json")
    assert metrics["epochs"] > 0, "the images are too easy: nothing was trained"
    assert decided["outcome"].startswith("learning_rate ")
    accepted = "accepts the tuned weights" in decided["outcome"]
    assert accepted != ("keeps the start" in decided["outcome"])
    assert accepted == (metrics["best_epoch"] > 0)
    if accepted:
        assert metrics["val_accuracy"] > metrics["start_val_accuracy"]
    hashes = {
        name: (project.folder / "models" / name / "model.safetensors").read_bytes()
        for name in ("transfer_learn", "fine_tune")
    }
    assert accepted == (hashes["transfer_learn"] != hashes["fine_tune"])
    report = (project.folder / "reports/evaluate/report.md").read_text(encoding="utf-8")
    assert decided["outcome"] in report


def test_a_second_run_does_nothing(project: Project) -> None:
    before = project.files()
    again = project.run("dvc", "repro")
    assert ran(again) == restored(again) == []
    assert project.files() == before


def test_another_folder_gives_the_same_hashes(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without tracking and forks, too."""
    other = _make(tmp_path_factory.mktemp("elsewhere") / "ein Projekt's #2 é 🙂")
    switched = {"THAWLINE_TRACKING": "off", "THAWLINE_FORKSERVER": "off"}
    try:
        other.first = other.run("dvc", "repro", env=switched | {"TZ": "Pacific/Kiritimati"})
        assert ran(other.first) == list(STAGES)
        assert other.hashes() == project.hashes()
    finally:
        other.end()


def _kill(project: Project, stage: str, under_way: Callable[[], object]) -> None:
    """Kill -9 of a forced run of a stage once it is under way."""
    command = ("dvc", "repro", "--force", "--single-item", stage)
    started: subprocess.Popen[str] = project.start(*command)
    wait_for(under_way, 300, f"for {stage}")
    (child,) = [
        child
        for child in psutil.Process(started.pid).children(recursive=True)
        if child.cmdline()[-2:] == ["-m", f"stages.{stage}"] and "python" in child.name()
    ]
    child.send_signal(signal.SIGKILL)
    assert started.wait(timeout=60) != 0
    wait_for(lambda: not project.left_over(), 60, "for the tracking process")


def test_kill_9_of_transfer_learn(project: Project, anew: Project) -> None:
    features = anew.folder / ".thawline" / "features"
    _kill(anew, "transfer_learn", lambda: features.is_dir() and list(features.iterdir()))
    assert not (anew.folder / "models/transfer_learn/model.safetensors").exists()
    anew.run("dvc", "repro", "--force", "--single-item", "transfer_learn")
    assert anew.hashes() == project.hashes()
    assert ran(anew.run("dvc", "repro")) == []


def test_kill_9_of_fine_tune(project: Project, anew: Project) -> None:
    kept = anew.folder / ".thawline" / "resume"
    _kill(anew, "fine_tune", lambda: list(kept.glob("fine_tune-*.checkpoint")))
    assert not (anew.folder / "models/fine_tune/model.safetensors").exists()
    again = anew.run("dvc", "repro", "--force", "--single-item", "fine_tune")
    assert "fine_tune: resumes after epoch" in again.stderr
    assert anew.hashes() == project.hashes()
    assert ran(anew.run("dvc", "repro")) == []


def test_the_report_says_what_was_decided_before_training(project: Project) -> None:
    text = (project.folder / "reports/evaluate/report.md").read_text(encoding="utf-8")
    decisions = text.partition("## Decisions")[2].partition("##")[0]
    decided = _json(project, "data/ingest/decided.json")
    assert f"- ingest: images packed at {decided['image_size_px']['value']} px (auto: " in decisions
    assert f"- augment: {_json(project, 'reports/augment/decision.json')['reason']}." in decisions
