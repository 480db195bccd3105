"""Figures of a real small data set and a real network, and what is printed of them."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.unit.advice.recorded_runs import write_run
from thawline.advice import gathering, proposing, show
from thawline.advice.facts import Facts
from thawline.dataset.image_store import StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.params import params_file
from thawline.runtime.output_paths import INGEST

SIZE = 32


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits of two classes as ingest packs them; every test row is noise that none may look at."""
    folder = tmp_path_factory.mktemp("project")
    digits = load_digits(n_class=2)
    count = 80
    images = (digits.images[:count] * 15.9).astype(np.uint8).repeat(4, 1).repeat(4, 2)
    with StoreWriter(folder / INGEST, SIZE) as writer:
        for image in images:
            writer.append(image[..., None].repeat(3, axis=-1))
    Manifest(
        classes=("zero", "one"),
        labels=digits.target[:count].astype(np.int64),
        splits=np.array(["train"] * 60 + ["val"] * 10 + ["test"] * 10),
        sha256=("",) * count,
        names=("",) * count,
        groups=(None,) * count,
        widths=np.array([8] * 70 + [999] * 10),
        heights=np.array([9] * 70 + [999] * 10),
    ).write(folder / INGEST)
    return folder


@pytest.fixture
def project(
    packed: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    shutil.copytree(packed, tmp_path, dirs_exist_ok=True)
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("image_size_px: auto ", f"image_size_px: {SIZE} ").replace(
        "threads: 2 ", "threads: 1 "
    )
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recorded_run(folder: Path, learning_rate: float) -> None:
    """A run whose fine-tuning was thrown away, and params without weights to probe."""
    tuned, evaluated = folder / "reports/fine_tune", folder / "reports/evaluate"
    tuned.mkdir(parents=True)
    evaluated.mkdir()
    (tuned / "curves.csv").write_text("epoch,val_accuracy,val_macro_f1\n1,0.2,0.2\n2,0.3,0.222\n")
    kept = {"val_loss": 0.6, "val_accuracy": 0.778, "val_macro_f1": 0.76}
    (tuned / "metrics.json").write_text(json.dumps({"best_epoch": 0, **kept}))
    speed = {"compress": {"latency_ms": 1.5}, "device": {"name": "Some CPU"}}
    (evaluated / "speed.json").write_text(json.dumps(speed))
    text = (folder / "params.yaml").read_text(encoding="utf-8")
    text = text.replace("weights: imagenet ", "weights: none ")
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    write_run(folder, {"fine_tune.learning_rate": learning_rate})


def printed(found: Facts) -> str:
    out = io.StringIO()
    show.show(found, proposing.propose(found), out)
    return out.getvalue()


@pytest.mark.slow
def test_what_is_measured(project: Path) -> None:
    found = gathering.gather(params_file.load())
    assert found.counts.sum() == 60
    assert (found.side_px, found.colour, found.pretrained_px) == (8, False, 224)
    assert found.cost.parameters == 3_373_570  # EfficientNet-Lite0 with two classes
    assert found.cost.macs < found.costs["tf_efficientnet_lite1"].macs
    assert found.profile is not None
    assert (found.profile.split, found.profile.num_rows) == ("train", 60)
    assert (found.val_accuracy, found.latency_ms) == (None, None)
    assert gathering.gather(params_file.load()).profile == found.profile
    text = printed(found)
    for part in ("60 training images, grey", "8 px", "3.37 M parameters", "(not measured yet)",
                 "linear probe on 60 train images"):  # fmt: skip
        assert part in text
    assert "; so it" not in text.splitlines()[2]


@pytest.mark.slow
def test_recorded_measurements_are_read(project: Path) -> None:
    recorded_run(project, learning_rate=0.04)
    found = gathering.gather(params_file.load())
    assert (found.val_accuracy, found.latency_ms, found.profile) == (0.778, 1.5, None)
    assert found.gained == pytest.approx(0.222 - 0.76)
    assert "accuracy 77.8 % (validation)" in printed(found)
    assert "latency 1.50 ms on Some CPU" in printed(found)


@pytest.mark.slow
def test_figures_of_other_values_are_not_those_of_these(project: Path) -> None:
    recorded_run(project, learning_rate=0.5)
    found = gathering.gather(params_file.load())
    assert (found.val_accuracy, found.gained, found.latency_ms) == (None, None, None)


def test_outside_of_a_project_it_is_one_message_and_exit_code_2(
    project: Path, repository: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "thawline.cli", "advise", "--write"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )  # fmt: skip
    assert done.returncode == 2
    expected = f"thawline: dvc.yaml: not found in {project}; run this in the project's folder\n"
    assert done.stderr == expected


@pytest.mark.slow
def test_nothing_to_propose_is_said(project: Path) -> None:
    out = io.StringIO()
    show.show(gathering.gather(params_file.load()), [], out)
    assert "Nothing to propose" in out.getvalue()
