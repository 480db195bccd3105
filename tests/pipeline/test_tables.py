"""Tables as other systems write them, through `ingest`: what was guessed is told, line by line."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.project import Done, Project, make
from thawline.dataset.manifest import Manifest

pytestmark = pytest.mark.slow
PER_CLASS = {"train": 12, "valid": 4, "test": 6}
DECOMPOSED = unicodedata.normalize("NFD", "caf\u00e9")
COMPOSED = unicodedata.normalize("NFC", DECOMPOSED)


def _plant(folder: Path) -> None:
    """Two classes, one of them in two Unicode forms and with one label in another case."""
    (folder / DECOMPOSED).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split, count in PER_CLASS.items():
        lines = ["image,label,subset"]
        for k in range(2 * count):
            name = f"{split}{k:02d}.png"
            pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / DECOMPOSED / name)
            path = (
                f"{COMPOSED}/{name}",
                f"{COMPOSED}\\{name}",
                f"{folder.resolve()}/{DECOMPOSED}/{name}",
            )[k % 3]
            lines.append(f"{path},{(COMPOSED if k % 4 else DECOMPOSED, 'ant')[k % 2]},train")
        (folder / f"{split}.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = make(tmp_path_factory.mktemp("tables") / "a project")
    _plant(made.folder / "pictures")
    made.set_params(
        {"ingest.source": "csv", "ingest.options": {"classes": ["ant", COMPOSED, "Ant"]},
         "ingest.path": "pictures"}
    )  # fmt: skip
    made.first = made.run("python", "-m", "stages.ingest")
    yield made
    made.end()


def lines(done: Done | None) -> set[str]:
    assert done is not None
    return set(done.stderr.splitlines())


def test_splits_and_classes_are_those_of_the_tables(project: Project) -> None:
    manifest = Manifest.read(project.folder / "data/ingest")
    assert manifest.classes == ("ant", COMPOSED)
    for split, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        assert manifest.counts(split).tolist() == [PER_CLASS[name]] * 2
        names = [manifest.names[row] for row in manifest.rows(split)]
        assert all(f"/{name}" in text for text in names)


def test_what_was_guessed_is_told(project: Project) -> None:
    told = lines(project.first)
    assert {
        "ingest: all rows of 'train.csv' are train, by the name of the table",
        "ingest: all rows of 'valid.csv' are val, by the name of the table",
        "ingest: all rows of 'test.csv' are test, by the name of the table",
        "ingest: no image in 'Ant': not a class",
        "ingest: 15 paths of the table are written with \\ for /",
        "ingest: 14 paths of the table are absolute, inside of the table's folder",
    } <= told
    assert any("in another Unicode form than the files' names" in line for line in told)


def test_two_spellings_of_a_class_are_told(project: Project) -> None:
    table = project.folder / "pictures" / "train.csv"
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace(",ant,", ",Ant,", 4), encoding="utf-8")
    done = project.run("python", "-m", "stages.ingest", code=None)
    assert "ingest: classes 'ant' and 'Ant' differ by case only: are they one?" in lines(done)
    project.set(ingest__path="pictures/train.csv", ingest__options={})
    alone = project.run("python", "-m", "stages.ingest", code=None)
    assert any("column 'subset' of 'train.csv' looks like splits" in x for x in lines(alone))


def test_numbers_are_named_by_the_option(project: Project) -> None:
    table = project.folder / "pictures" / "numbers.csv"
    held = (project.folder / "pictures" / "train.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"{row.split(',')[0]},{1 + k % 2}" for k, row in enumerate(held[1:])]
    table.write_text("\n".join(["image,label", *rows]), encoding="utf-8")
    options = {"classes": ["ant", "bee"]}
    project.set(ingest__path="pictures/numbers.csv", ingest__options=options)
    done = project.run("python", "-m", "stages.ingest")
    assert Manifest.read(project.folder / "data/ingest").classes == ("ant", "bee")
    told = lines(done)
    assert "ingest: labels are numbers, named by ingest.options.classes: 1 is 'ant'" in told
