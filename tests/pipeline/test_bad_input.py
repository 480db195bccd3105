"""A user's mistake, with results of an earlier run there: one message, and everything stays."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from tests.pipeline.project import Done, Project, ran, told

pytestmark = pytest.mark.slow
SOURCE = "data/raw"


def _folder(project: Project, **counts: int) -> None:
    """Class folders with so many different images."""
    rng = np.random.default_rng(0)
    (project.folder / SOURCE).mkdir()
    for name, count in counts.items():
        (project.folder / SOURCE / name).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(project.folder / SOURCE / name / f"{number}.png")
    _use(project, SOURCE)


def _use(project: Project, path: str) -> None:
    project.set_params({"ingest.source": "folder", "ingest.options": {}, "ingest.path": path})


def _typo(project: Project) -> None:
    path = project.folder / "params.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("val_ratio:", "val_raito:"))


def _weights(project: Project) -> None:
    tensors = {f"features.{i}.weight": torch.zeros(3, 3) for i in range(296)}
    torch.save(tensors, project.folder / "other.pth")
    project.set(model__weights="file", model__weights_file="other.pth")


REFUSED: dict[str, tuple[str, Callable[[Project], None], str]] = {
    "no class folders": ("ingest", _folder, "ingest.path: 'data/raw' has 0 class folder(s)"),
    "one class": ("ingest", lambda p: _folder(p, a=5), "'data/raw' has 1 class folder(s)"),
    "two images": ("ingest", lambda p: _folder(p, a=5, b=2), "class 'b' has 2 different image(s)"),
    "typo": ("ingest", _typo, "params.yaml: ingest.val_raito: unknown key;"),
    "weights": ("transfer_learn", _weights, "'other.pth' is of another network"),
}
"""Name to the stage that refuses, what is done, and a part of the message."""


def _last_of_stage(done: Done) -> str:
    """The last line on stderr before DVC's own."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith("ERROR: failed to reproduce")][-1]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.ci if n == "one class" else ()) for n in REFUSED]
)
def test_a_refusing_stage_says_one_line_and_changes_nothing(copy: Project, name: str) -> None:
    stage, spoil, message = REFUSED[name]
    spoil(copy)
    before = copy.files()
    done = copy.run("dvc", "repro", code=255)
    assert ran(done) == [stage]
    assert _last_of_stage(done).startswith(f"{stage}: ")
    assert message in _last_of_stage(done)
    assert "Traceback" not in done.stdout + done.stderr
    assert copy.files() == before

    alone = copy.run("python", "-m", f"stages.{stage}", code=2)
    assert alone.stderr.splitlines() == [_last_of_stage(done)]
    assert copy.files() == before


MISSING: dict[str, tuple[Callable[[Project], None], str, str]] = {
    "no folder": (
        lambda p: _use(p, SOURCE),
        "params.yaml: ingest.path: 'data/raw' does not exist",
        "ingest.path: 'data/raw': No such file or directory",
    ),
    "no source": (
        lambda p: p.set(ingest__source="kaggle"),
        "params.yaml: ingest.source: 'kaggle' is unknown; allowed: archive, csv",
        "params.yaml: ingest.source: 'kaggle' is unknown; allowed: archive, csv",
    ),
}
"""What DVC itself misses: `thawline run` and the stage say what is wrong."""


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_input_is_refused_before_dvc_starts(copy: Project, name: str) -> None:
    spoil, message, from_stage = MISSING[name]
    params = (copy.folder / "params.yaml").read_bytes()
    spoil(copy)
    before = copy.files()
    (line,) = told(copy.run("thawline", "run", code=2))
    assert message in line
    (line,) = copy.run("python", "-m", "stages.ingest", code=2).stderr.splitlines()
    assert from_stage in line
    assert copy.files() == before

    # DVC deletes the stage's outputs before it misses the input. The next run brings them back.
    bare = copy.run("dvc", "repro", code=255)
    missing = SOURCE if name == "no folder" else "plugins.ingest.source.kaggle"
    assert missing in bare.stderr
    assert "Traceback" not in bare.stderr
    (copy.folder / "params.yaml").write_bytes(params)
    assert ran(copy.run("dvc", "repro")) == []
    assert copy.files() == before | {"params.yaml": params}
