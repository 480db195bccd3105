"""A folder with planted copies, conflicts and broken files: all found, and told in the report."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.project import Project, make, ran
from thawline.dataset.manifest import Manifest

pytestmark = pytest.mark.slow
PER_CLASS = 40
PARAMS = {
    "ingest.source": "folder",
    "ingest.options": {},
    "ingest.path": "photographs",
    "ingest.near_duplicate_distance": 4,
    "ingest.group_by": r"(patient\d+)",
}


def _scene(seed: int) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC)


def _plant(folder: Path) -> None:
    for label, name in enumerate(("grape", "fig")):
        (folder / name).mkdir(parents=True)
        for k in range(PER_CLASS):
            person = f"patient{k // 2:02d}-" if k < 20 else ""
            _scene(1000 * label + k).save(folder / name / f"{person}{k:02d}.png")
    _scene(25).resize((240, 180), Image.Resampling.BICUBIC).save(folder / "grape" / "z copy.png")
    _scene(26).save(folder / "grape" / "z same.png")
    _scene(27).save(folder / "fig" / "z wrong.png")
    (folder / "fig" / "z broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "fig" / "empty.png").touch()
    (folder / "plum").mkdir()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = make(tmp_path_factory.mktemp("dirty") / "a project")
    _plant(made.folder / "photographs")
    made.set_params(PARAMS)
    made.first = made.run("dvc", "repro", "pictures")
    yield made
    made.end()


def table(project: Project, name: str) -> list[dict[str, str]]:
    with (project.folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_everything_that_was_planted_is_found(project: Project) -> None:
    reasons = {r["name"]: r["reason"] for r in table(project, "data/ingest/quarantine.csv")}
    assert reasons.keys() == {
        "fig/empty.png", "fig/z broken.png", "fig/z wrong.png", "grape/27.png", "grape/z same.png",
    }  # fmt: skip
    (conflict,) = table(project, "reports/ingest/conflicts.csv")
    assert {conflict["label"], conflict["other_label"]} == {"grape", "fig"}
    (near,) = table(project, "reports/ingest/near_duplicates.csv")
    assert {near["image"], near["copy"]} == {"grape/25.png", "grape/z copy.png"}
    manifest = Manifest.read(project.folder / "data/ingest")
    split = dict(zip(manifest.names, manifest.splits.tolist(), strict=True))
    assert split["grape/25.png"] == split["grape/z copy.png"]
    for person in range(10):
        rows = [k for k, group in enumerate(manifest.groups) if group == f"patient{person:02d}"]
        assert len(rows) == 4
        assert len(set(manifest.splits[rows])) == 1
    assert project.first is not None
    assert "'plum'" in project.first.stderr
    assert "group_by does not match 41 images" in project.first.stderr


def test_the_report_is_logged_with_the_run(project: Project) -> None:
    logged = {
        run.info.run_name: {f.path for f in project.client.list_artifacts(run.info.run_id, "data")}
        for run in project.runs("stage")
    }
    assert {"data/report.md", "data/pictures"} <= logged["pictures"]
    assert {"data/conflicts.csv", "data/near_duplicates.csv"} <= logged["ingest"]
    text = (project.folder / "reports/ingest/report.md").read_text(encoding="utf-8")
    assert "further up in the source: 1," in text
    assert "empty file" in text


def test_a_corrected_label_runs_ingest_again_and_moves_nothing(project: Project) -> None:
    before = Manifest.read(project.folder / "data/ingest")
    fixes = project.folder / "data/label_fixes.csv"
    fixes.write_text("image,label,was\nfig/z wrong.png,grape,fig\ngrape/30.png,fig,grape\n")
    assert ran(project.run("dvc", "repro", "ingest")) == ["ingest"]
    after = Manifest.read(project.folder / "data/ingest")
    assert table(project, "reports/ingest/conflicts.csv") == []
    places = dict(zip(before.names, before.splits.tolist(), strict=True))
    moved = {n for n, s in zip(after.names, after.splits, strict=True) if places.get(n) != s}
    assert len(moved) == 1, "only the picture that was in conflict comes back"
    at = after.names.index("grape/30.png")
    assert after.classes[after.labels[at]] == "fig"


def test_a_correction_of_nothing_is_refused_with_its_row(project: Project) -> None:
    fixes = project.folder / "data/label_fixes.csv"
    fixes.write_text("image,label,was\nfig/z wrong.png,grape,fig\nfig/unknown.png,grape,\n")
    stored = (project.folder / "data/ingest/manifest.parquet").read_bytes()
    failed = project.run("dvc", "repro", "ingest", code=None)
    assert failed.returncode != 0
    assert "data/label_fixes.csv row 3: 'fig/unknown.png' is no image" in failed.stderr
    assert (project.folder / "data/ingest/manifest.parquet").read_bytes() == stored
