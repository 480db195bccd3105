"""A folder of photographs in every allowed format goes through the whole pipeline."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.pipeline.project import STAGES, Project, make, ran

pytestmark = pytest.mark.slow
FORMATS = ("png", "jpg", "webp", "bmp", "tiff")
SHAPES = ("disc", "square", "stripes")
PER_CLASS = 80


def _draw(shape: str, rng: np.random.Generator) -> Image.Image:
    """A bright shape on a dark noisy ground, at another place and in another size each time."""
    width, height = rng.integers(40, 90, 2)
    noise = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    draw, ink = ImageDraw.Draw(image), tuple(int(v) for v in rng.integers(150, 256, 3))
    side = int(rng.integers(16, 30))
    x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
    box = (x, y, x + side, y + side)
    if shape == "disc":
        draw.ellipse(box, fill=ink)
    elif shape == "square":
        draw.rectangle(box, fill=ink)
    else:
        for offset in range(0, side, 6):
            draw.line((x, y + offset, x + side, y + offset), fill=ink, width=2)
    return image


def _fill(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for number in range(PER_CLASS):
            ending = FORMATS[number % len(FORMATS)]
            place = folder / f"{shape} é 🙂" / f"by {ending}" / f"{number:03d}.{ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            _draw(shape, rng).save(place)
    (folder / "disc é 🙂/broken.png").write_bytes(b"not an image")
    (folder / "disc é 🙂/notes.txt").write_text("no candidate")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Run once, from a folder outside of the project."""
    folder = tmp_path_factory.mktemp("folder source 🙂")
    _fill(folder / "photographs")
    made = make(folder / "a project")
    made.set_params({"ingest.source": "folder", "ingest.options": {}})
    made.set(ingest__path=str(folder / "photographs"), augment__policy="light")
    made.commit("Own data")
    made.first = made.run("thawline", "run")
    yield made
    made.end()


def test_every_stage_ran_on_every_image(project: Project) -> None:
    assert project.first is not None
    assert ran(project.first) == list(STAGES)
    metrics = project.yaml("reports/ingest/metrics.json")
    assert metrics["classes"] == len(SHAPES)
    assert metrics["images"] == PER_CLASS * len(SHAPES)
    (parent,) = project.runs("pipeline")
    assert parent.info.status == "FINISHED"
    assert parent.inputs.dataset_inputs[0].dataset.name == "folder"


def test_a_broken_file_is_in_quarantine(project: Project) -> None:
    with (project.folder / "data/ingest/quarantine.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["name"].endswith("broken.png")
    assert row["reason"]


def test_the_model_is_published_once_and_answers(project: Project) -> None:
    assert "version 1" in project.run("thawline", "publish").stdout
    assert "registered already" in project.run("thawline", "publish").stdout
    (version,) = project.client.search_model_versions("name='thawline'")
    aliases = project.client.get_registered_model("thawline").aliases
    assert str(aliases["challenger"]) == str(version.version) == "1"
    table = project.run("thawline", "table").stdout
    assert all(name in table for name in ("transfer_learn", "fine_tune", "compress"))
    (parent,) = project.runs("pipeline")
    assert parent.data.tags["device.fingerprint"]
    reports = project.client.list_artifacts(parent.info.run_id, "report")
    assert "report/pareto.png" in [file.path for file in reports]


def test_the_champion_predicts_the_files_it_came_from(project: Project) -> None:
    project.run("thawline", "publish")
    folder = project.yaml("params.yaml")["ingest"]["path"]
    done = project.run("thawline", "predict", folder, "--model", "champion", "--json", code=1)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == PER_CLASS * len(SHAPES)
    assert {one["predictions"][0]["class"] for one in found} <= {f"{s} é 🙂" for s in SHAPES}
    assert "broken.png: " in done.stderr
    assert "**No drift found.**" in project.run("thawline", "monitor", folder).stdout


def test_no_absolute_path_in_an_output(project: Project) -> None:
    """Else the hashes would tell one machine from another."""
    here = str(project.folder.parent).encode()
    outputs = [
        p for top in ("data", "models", "reports") for p in (project.folder / top).rglob("*")
    ]
    assert [p for p in outputs if p.is_file() and here in p.read_bytes()] == []


def test_an_image_that_is_added_runs_ingest_again(project: Project) -> None:
    """Once more with the same files does nothing, though nobody touched params.yaml."""
    assert "nothing to do" in project.run("thawline", "run").stdout
    source = Path(project.yaml("params.yaml")["ingest"]["path"])
    _draw("disc", np.random.default_rng(1)).save(source / "disc é 🙂" / "new.png")
    assert ran(project.run("dvc", "repro", "ingest")) == ["ingest"]
    assert project.yaml("reports/ingest/metrics.json")["images"] == PER_CLASS * len(SHAPES) + 1
