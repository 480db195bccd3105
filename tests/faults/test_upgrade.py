"""Outputs that another version made: they work, or the message says what makes them anew."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.pipeline.project import Project, ran
from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.errors import UserError
from thawline.models import checkpoint
from thawline.prediction.model import NETWORK, Predictor
from thawline.runtime.output_paths import MANIFEST
from thawline.training.freeze_decision import FILE, FreezeDecision, given

FIRST = {
    "format": 1, "family": "resnet", "name": "resnet18", "dropout": 0.1, "classes": ["a", "b"],
    "image_size_px": 32, "fit": "crop", "background": [0, 0, 0],
    "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2],
}  # fmt: skip
"""A model.json of the first version."""
ANEW = r"`dvc (checkout|repro)"


def manifest(folder: Path) -> Path:
    table = Manifest(
        classes=("a", "b"),
        labels=np.arange(4) % 2,
        splits=np.array(["train", "val"] * 2),
        sha256=tuple(f"{k:064x}" for k in range(4)),
        names=tuple(f"a/{k}.png" for k in range(4)),
        groups=(None,) * 4,
        widths=np.arange(4),
        heights=np.arange(4),
    )
    table.write(folder)
    return folder / MANIFEST


def rows(folder: Path) -> Path:
    Rows(indices=np.arange(4), class_weights=np.ones(2), targets=None).write(folder / "rows")
    return folder / "rows"


def test_a_model_of_the_first_version_works(tmp_path: Path) -> None:
    (tmp_path / checkpoint.CARD).write_text(json.dumps(FIRST))
    (tmp_path / NETWORK).touch()
    card = checkpoint.read_card(tmp_path)
    assert (card.stem, card.channels) == ("imagenet", {})
    assert Predictor(tmp_path).classes == ("a", "b")


@pytest.mark.parametrize("change", [{"format": 2}, {"brightness": 1.0}, {"std": None}])
def test_a_model_of_another_version_is_made_anew(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / checkpoint.CARD).write_text(json.dumps(FIRST | change))
    with pytest.raises(UserError, match=ANEW) as caught:
        checkpoint.read_card(tmp_path)
    assert f"{checkpoint.CARD}: {next(iter(change))}: " in str(caught.value)


@pytest.mark.parametrize(
    ("make", "read"), [(manifest, lambda file: Manifest.read(file.parent)), (rows, Rows.read)]
)
def test_a_table_without_a_column_is_made_anew(
    tmp_path: Path, make: Callable[[Path], Path], read: Callable[[Path], object]
) -> None:
    file = make(tmp_path)
    read(file)
    table = pq.read_table(file)
    for name in set(table.column_names) - {"class"}:  # that one is for people
        pq.write_table(table.drop_columns([name]), file)
        with pytest.raises(UserError, match=ANEW):
            read(file)
    pq.write_table(table.replace_schema_metadata(None), file)
    with pytest.raises(UserError, match=ANEW):
        read(file)


def test_a_decision_without_a_key_is_made_anew(tmp_path: Path) -> None:
    decision = given("fine_tune", "head", 0, from_scratch=False)
    decision.write(tmp_path)
    whole = json.loads((tmp_path / FILE).read_text())
    for key in ("stage", "trainable", "profile"):
        (tmp_path / FILE).write_text(json.dumps({k: v for k, v in whole.items() if k != key}))
        with pytest.raises(UserError, match=ANEW):
            FreezeDecision.read(tmp_path)


@pytest.mark.slow
def test_a_project_of_an_earlier_version_runs_what_its_code_made(copied: Project) -> None:
    """dvc.lock as the earlier code left it, beside a table in the form of that code."""
    before = copied.hashes()
    lock = (copied.folder / "dvc.lock").read_text()
    file = copied.folder / "data/ingest" / MANIFEST
    pq.write_table(pq.read_table(file).drop_columns(["width_px"]), file)
    for stage in ("ingest", "rebalance"):
        key = f"stages.{stage}"
        made_by = copied.lock()[stage]["params"]["code.yaml"][key]
        assert f"{key}: {made_by}" in lock
        lock = lock.replace(f"{key}: {made_by}", f"{key}: {'a' * 16}")
    (copied.folder / "dvc.lock").write_text(lock)
    done = copied.run("dvc", "repro", "--no-run-cache", "rebalance")
    assert ran(done) == ["ingest", "rebalance"]
    copied.run("thawline", "run", "augment")
    after = copied.hashes()
    assert {path: after[path] for path in before} == before
