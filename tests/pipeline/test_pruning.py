"""A run that prunes: the smaller network is what is written, loaded, exported and scored."""

import csv
import json

import pytest
import torch

from tests.pipeline.project import Project, ran
from thawline.cost.flops import num_parameters
from thawline.dataset.manifest import Manifest
from thawline.models import checkpoint

pytestmark = pytest.mark.slow


def test_a_pruned_network_ships_with_its_curve(copied: Project) -> None:
    copied.set(compress__prune__ratio=[0, 0.3], compress__prune__epochs=1, compress__pt2=True)
    copied.set_params({"budget.max_size_mb": 8.0})
    assert ran(copied.run("dvc", "repro")) == ["compress", "evaluate"]
    network, card = checkpoint.load(copied.folder / "models/compress")
    before, _ = checkpoint.load(copied.folder / "models/fine_tune")
    assert card.channels
    assert copied.metric("compress", "parameters") == num_parameters(network)
    assert num_parameters(network) < 0.6 * num_parameters(before)
    with (copied.folder / "reports/compress/pruning.csv").open() as file:
        assert [float(row["ratio"]) for row in csv.DictReader(file)] == [0, 0.3]
    report = (copied.folder / "reports/evaluate/report.md").read_text()
    assert "the network with 30 % of the channels removed ships" in report
    assert "(<figures/pruning.png>)" in report


def test_the_same_again_gives_the_same_bytes(copied: Project) -> None:
    before = copied.hashes()
    copied.run("dvc", "repro", "--force", "--single-item", "compress")
    assert copied.hashes()["models/compress"] == before["models/compress"]
    curve = "reports/compress/pruning.csv"
    assert copied.hashes()[curve] == before[curve]


def test_without_a_ratio_nothing_of_it_is_left(copied: Project) -> None:
    copied.set(compress__prune__ratio=0, compress__pt2=False)
    copied.run("dvc", "repro", "--force", "--single-item", "compress")
    files = {file.name for file in (copied.folder / "models/compress").iterdir()}
    assert files == {"model.json", "model.onnx", "model.safetensors", "model_int8.onnx"}
    curve = (copied.folder / "reports/compress/pruning.csv").read_text(encoding="utf-8")
    assert curve.count("\n") == 1, "its header"


def test_what_ships_without_it_had_the_validation_images(copied: Project) -> None:
    """Its head alone is another one, and judged by fits without each of them."""
    tuned, _ = checkpoint.load(copied.folder / "models/fine_tune")
    shipped, card = checkpoint.load(copied.folder / "models/compress")
    assert card.refit
    before, after = tuned.state_dict(), shipped.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("head.") for name in changed)
    validation = Manifest.read(copied.folder / "data/ingest").rows("val")
    found = json.loads((copied.folder / "reports/compress/metrics.json").read_text())["refit"]
    assert found["num_images"] == len(validation)
    copied.run("dvc", "repro", "evaluate")
    said = (copied.folder / "reports/evaluate/report.md").read_text(encoding="utf-8")
    assert f"fitted to the {len(validation)} validation images too" in said
