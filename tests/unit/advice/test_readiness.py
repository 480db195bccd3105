"""Advice has the images packed first, in a project whose `ingest` writes one file."""

import json
import shutil
from pathlib import Path

import pytest

from thawline.advice import readiness
from thawline.errors import UserError
from thawline.params import params_file
from thawline.runtime.output_paths import INGEST, MANIFEST

STAGES = {"ingest": {"cmd": "sh ingest.sh", "params": ["ingest"], "outs": ["data/ingest"]}}


@pytest.fixture
def project(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(repository / "params.yaml", tmp_path)
    for table in ("label_fixes.csv", "holdout.csv", "none"):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / table).touch()
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
    )
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": STAGES}))
    (tmp_path / "ingest.sh").write_text(
        "mkdir -p data/ingest && date +%N > data/ingest/manifest.parquet"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.ci
def test_images_are_packed_where_they_are_missing_or_others(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    readiness.prepare_data_set(params_file.load())
    assert (INGEST / MANIFEST).exists()
    said = capfd.readouterr().out
    assert said == "data/ingest: holds no data set yet; `dvc repro ingest` makes it\n"
    readiness.prepare_data_set(params_file.load())
    assert capfd.readouterr().out == ""
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("val_ratio: 0.15", "val_ratio: 0.1"))
    before = (INGEST / MANIFEST).read_bytes()
    readiness.prepare_data_set(params_file.load())
    assert "was made with other params or files" in capfd.readouterr().out
    assert (INGEST / MANIFEST).read_bytes() != before


@pytest.mark.slow
def test_a_stage_that_fails_is_one_message(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "ingest.sh").write_text("echo ingest: no images >&2; exit 2")
    with pytest.raises(UserError, match="`dvc repro ingest` failed"):
        readiness.prepare_data_set(params_file.load())
    assert "ingest: no images" in capfd.readouterr().err


def test_an_input_that_is_missing_is_named_before_dvc_starts(project: Path) -> None:
    text = (project / "params.yaml").read_text(encoding="utf-8")
    (project / "params.yaml").write_text(text.replace("path: data/none ", "path: data/gone "))
    with pytest.raises(UserError, match=r"ingest\.path: 'data/gone' does not exist"):
        readiness.prepare_data_set(params_file.load())
