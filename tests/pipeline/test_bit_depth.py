"""A camera's 12 bits in 16-bit files: named over the whole set, and scaled by a key."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pipeline.project import Project, make
from thawline.dataset.image_store import ImageStore
from thawline.ingest.decided import Decided

pytestmark = pytest.mark.slow
LINE = "75 of 75 images of 16 bits use at most 12 bits"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = make(tmp_path / "a project")
    rng = np.random.default_rng(0)
    for name in ("ant", "bee", "cat"):
        (made.folder / "leaves" / name).mkdir(parents=True)
        for number in range(25):
            image = Image.fromarray(rng.integers(0, 4096, (40, 40)).astype(np.uint16))
            image.save(made.folder / "leaves" / name / f"{number}.png")
    made.set_params({"ingest.source": "folder", "ingest.options": {}, "ingest.path": "leaves"})
    yield made
    made.end()


def _mean(project: Project) -> float:
    store = ImageStore(project.folder / "data/ingest")
    return float(store.take(np.arange(75)).mean())


def test_a_set_of_twelve_bits_is_named_and_can_be_scaled(project: Project) -> None:
    done = project.run("dvc", "repro", "pictures")
    report = project.folder / "reports/ingest/report.md"
    assert f"ingest: {LINE}" in done.stderr
    assert LINE in report.read_text(encoding="utf-8")
    assert _mean(project) < 10
    project.set_params({"ingest.bit_depth": 12})
    done = project.run("dvc", "repro", "pictures")
    assert LINE not in done.stderr + report.read_text(encoding="utf-8")
    assert 110 < _mean(project) < 145
    assert Decided.read(project.folder / "data/ingest").bit_depth == 12
