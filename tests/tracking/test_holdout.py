"""A new test set, drawn against a real registry and taken by the real ingest."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.project import Project, make
from thawline.dataset.manifest import Manifest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def add_images(folder: Path, start: int, number: int) -> None:
    """Of two classes, each picture different."""
    for row in range(start, start + number):
        pixels = np.random.default_rng(row).integers(0, 120, (16, 16, 3), dtype=np.uint8)
        pixels[..., 2 * (row % 2)] += 120
        target = folder / ("warm", "cold")[row % 2] / f"{row}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(target)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make(tmp_path / "project")
    add_images(made.folder / "pictures", 0, 120)
    made.set(
        ingest__source="folder", ingest__path="pictures", model__weights="none",
        model__family="squeezenet", model__name="squeezenet1_1", gate__min_rows=20,
        evaluate__explanations=False,
    )  # fmt: skip
    return made


def manifest(project: Project) -> Manifest:
    return Manifest.read(project.folder / "data/ingest")


def of(read: Manifest, split: str) -> set[str]:
    return {read.sha256[row] for row in read.rows(split)}


def test_it_is_drawn_from_what_was_added_and_taken_by_the_next_run(project: Project) -> None:
    project.run("dvc", "repro")
    project.run("thawline", "publish")
    before = manifest(project)
    assert "0 images here that no model has seen" in project.run("thawline", "holdout").stdout
    refused = project.run("thawline", "holdout", "--refresh", code=2)
    assert "add labelled images" in refused.stderr
    assert len((project.folder / "data/holdout.csv").read_text().splitlines()) == 1

    add_images(project.folder / "pictures", 500, 120)
    project.run("dvc", "repro", "ingest")
    assert "120 images here that no model has seen" in project.run("thawline", "holdout").stdout
    project.run("thawline", "holdout", "--refresh")
    project.run("dvc", "repro")
    after = manifest(project)
    old = set(before.sha256)
    assert len(of(after, "test")) >= 20
    assert not of(after, "test") & old
    assert of(before, "test") <= of(after, "train")
    assert of(before, "train") <= of(after, "train")
    assert of(before, "val") <= of(after, "val")

    project.run("thawline", "publish")
    gate = json.loads((project.folder / "reports/publish/gate.json").read_text())
    assert f"on {len(of(after, 'test'))} rows" in gate["reasons"][-1]
    assert "of a test set that has changed since" in gate["reasons"][-1]
    assert gate["looks"] == 1
