"""What makes a trial another one: code and params up to its stage, and its inputs."""

import os
from pathlib import Path

import numpy as np
import pytest

from thawline.params.schema.whole import Params
from thawline.studies.judging import rarest
from thawline.studies.records import code

DVC = """\
stages:
  ingest:
    deps: ["${ingest.path}", "sources/${ingest.source}.py", ingest.py]
    outs: [data/ingest]
  transfer_learn:
    deps: [data/ingest/, train.py]
    outs: [models/transfer_learn]
  fine_tune:
    deps: [models/transfer_learn, tune.py]
  pictures:
    deps: [data/ingest, pictures.py]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(DVC, encoding="utf-8")
    for name in ("ingest", "train", "tune", "sources/digits", "unused", "pictures"):
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(name, encoding="utf-8")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(b"a")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "matters"),
    [("train", True), ("sources/digits", True), ("sources/new", True), ("tune", False),
     ("unused", False), ("pictures", False)],
)  # fmt: skip
def test_code_up_to_the_stage_matters(
    root: Path, project: Params, name: str, matters: bool
) -> None:
    before = code(root, project, "transfer_learn")
    assert code(root, project, "transfer_learn") == before
    (root / f"{name}.py").write_text("edited", encoding="utf-8")
    assert (code(root, project, "transfer_learn") != before) == matters


@pytest.mark.parametrize(
    ("section", "key", "value", "matters"),
    [
        ("transfer_learn", "epochs", 3, True),
        ("fine_tune", "epochs", 3, False),
        ("tracking", "experiment", "other", False),
        ("budget", "min_accuracy", 0.5, False),
    ],
)
def test_params_up_to_the_stage_matter(
    root: Path, project: Params, section: str, key: str, value: object, matters: bool
) -> None:
    changed = getattr(project, section).model_copy(update={key: value})
    other = project.model_copy(update={section: changed})
    until = "transfer_learn"
    assert (code(root, other, until) != code(root, project, until)) == matters


def test_inputs_matter_unless_clones_are_to_agree(root: Path, project: Params) -> None:
    ingest = project.ingest.model_copy(update={"path": "images"})
    given = project.model_copy(update={"ingest": ingest})
    found = {inputs: code(root, given, "fine_tune", inputs=inputs) for inputs in (True, False)}
    os.utime(root / "images/a.png", (1, 1))
    assert code(root, given, "fine_tune") != found[True]
    assert code(root, given, "fine_tune", inputs=False) == found[False]


def test_the_rarest_third_of_the_scored_classes() -> None:
    counts, support = np.array([9, 1, 5, 2, 7, 8, 3]), np.array([3, 0, 3, 3, 3, 3, 3])
    assert np.flatnonzero(rarest(counts, support)).tolist() == [3, 6]


def test_what_stages_have_made_does_not_matter(root: Path, project: Params) -> None:
    spec = root / "dvc.yaml"
    text = spec.read_text(encoding="utf-8")
    made = "outs: [tuned.json]\n    metrics: [scores.json]\n"
    text = text.replace("tune.py]\n", f"rows.parquet, tune.py]\n    {made}")
    text = text.replace("[data/ingest]", "[data/ingest, rows.parquet: {cache: false}]")
    spec.write_text(text, encoding="utf-8")
    before = code(root, project, "fine_tune")
    (root / "rows.parquet").write_bytes(b"rows")
    assert code(root, project, "fine_tune") == before
    (root / "tune.py").write_text("edited", encoding="utf-8")
    assert code(root, project, "fine_tune") != before
