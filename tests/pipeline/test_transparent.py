"""Transparent drawings: laid over a colour that shows them, and told where one is lost."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.pipeline.project import Project, make, ran
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.ingest.decided import Decided

pytestmark = pytest.mark.slow
PER_CLASS = 30
INKS = {"black": (0, 0, 0), "white": (255, 255, 255)}
WITH_DATA = ("image_size_px", "fit", "background", "near_duplicate_distance")


def _draw(rng: np.random.Generator, ink: tuple[int, int, int], shape: str) -> Image.Image:
    width, height = (int(side) for side in rng.integers(60, 120, 2))
    image = Image.new("RGBA", (width, height), (90, 200, 30, 0))
    x, y, side = (int(v) for v in rng.integers(4, 25, 3))
    box = (x, y, x + side + 8, y + side + 8)
    draw = ImageDraw.Draw(image)
    (draw.ellipse if shape == "disc" else draw.rectangle)(box, fill=(*ink, 255))
    return image


def _fill(folder: Path) -> None:
    """Half of the drawings of each class in black ink, half in white; and odd ones."""
    rng = np.random.default_rng(0)
    for shape in ("disc", "square"):
        (folder / shape).mkdir(parents=True)
        for number in range(PER_CLASS):
            ink = INKS["black" if number % 2 else "white"]
            _draw(rng, ink, shape).save(folder / shape / f"{number:02d}.png")
    Image.new("RGBA", (50, 40), (255, 0, 0, 0)).save(folder / "disc" / "nothing.png")
    Image.new("RGB", (70, 70), (255, 255, 255)).save(folder / "square" / "paper.jpg")
    Image.new("RGB", (70, 80), (255, 255, 255)).save(folder / "square" / "paper.png")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = make(tmp_path_factory.mktemp("transparent") / "a project")
    _fill(made.folder / "drawings")
    made.set_params({"ingest.source": "folder", "ingest.options": {}, "ingest.path": "drawings"})
    made.set_params({f"ingest.{key}": "auto" for key in WITH_DATA})
    made.first = made.run("dvc", "repro", "augment", "pictures")
    yield made
    made.end()


def _packed(project: Project) -> tuple[Manifest, ImageStore]:
    folder = project.folder / "data/ingest"
    return Manifest.read(folder), ImageStore(folder)


def test_every_drawing_is_seen_and_none_is_a_copy(project: Project) -> None:
    manifest, store = _packed(project)
    assert len(manifest) == 2 * PER_CLASS + 3
    with (project.folder / "data/ingest/quarantine.csv").open(encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == []
    for row, name in enumerate(manifest.names):
        spans = np.ptp(store[row].reshape(-1, 3), axis=0).max()
        odd = "nothing" in name or "paper" in name
        assert odd or spans > 60, name


def test_what_was_decided_is_written_logged_and_used(project: Project) -> None:
    decided = Decided.read(project.folder / "data/ingest")
    assert project.first is not None
    for key in WITH_DATA:
        assert decided.decisions[key].auto
        assert decided.decisions[key].reason in project.first.stderr
    _, store = _packed(project)
    assert store.image_size_px == decided.image_size_px
    assert decided.background not in INKS.values()
    (run,) = [r for r in project.runs("stage") if "ingest.decided.fit" in r.data.params]
    assert run.data.params["ingest.decided.image_size_px"] == str(decided.image_size_px)
    report = (project.folder / "reports/ingest/report.md").read_text(encoding="utf-8")
    assert f"| `image_size_px` | {decided.image_size_px} | the data |" in report


def test_blank_pictures_are_counted_and_shown(project: Project) -> None:
    metrics = json.loads((project.folder / "reports/ingest/metrics.json").read_text())
    assert metrics["transparent"] == 2 * PER_CLASS + 1
    assert metrics["one_colour"] == 3
    assert metrics["duplicates"] == 0
    assert "lost_in_background" not in metrics
    assert project.first is not None
    assert "3 pictures show one colour (2 white, 1 wholly transparent)" in project.first.stderr
    report = (project.folder / "reports/ingest/report.md").read_text(encoding="utf-8")
    assert "### Wholly transparent: 1" in report


def test_another_background_moves_nothing_and_tells_what_it_hides(project: Project) -> None:
    before, _ = _packed(project)
    project.set_params({"ingest.background": [0, 0, 0]})
    done = project.run("dvc", "repro", "ingest")
    assert ran(done) == ["ingest"]
    after, _ = _packed(project)
    assert (after.sha256, after.splits.tolist()) == (before.sha256, before.splits.tolist())
    metrics = json.loads((project.folder / "reports/ingest/metrics.json").read_text())
    assert metrics["lost_in_background"] == PER_CLASS
    assert metrics["duplicates"] == 0
    assert f"{PER_CLASS} drawn in the colour of the background" in done.stderr


def test_a_size_that_was_measured_gives_what_it_gives_where_params_name_it(
    project: Project,
) -> None:
    before, store = _packed(project)
    images = store.take(np.arange(len(store)))
    decided = Decided.read(project.folder / "data/ingest")
    assert "left out of its fit" in decided.decisions["image_size_px"].reason
    project.set_params({"ingest.image_size_px": decided.image_size_px})
    project.run("dvc", "repro", "ingest")
    after, again = _packed(project)
    assert after.digest() == before.digest()
    np.testing.assert_array_equal(again.take(np.arange(len(again))), images)
