"""Real networks, trained here, before the gate of the real command: who serves, and why."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from sklearn.datasets import load_digits
from torch import nn

from tests import colours
from tests.tracking.registered import Registered
from thawline.compress.export import export
from thawline.cost import ort_session as onnx
from thawline.cost.latency import measure_session
from thawline.dataset.image_store import StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.evaluation import gate_line

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
REPOSITORY = Path(__file__).resolve().parents[2]
SIDE = 16
SPLITS = np.array(["train"] * 900 + ["val"] * 300 + ["test"] * 597)
MEAN, STD = (0.3, 0.3, 0.3), (0.4, 0.4, 0.4)


def network(width: int, depth: int) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * width, 10))


class Workspace(Registered):
    """Digits as ingest packs them, and what compress and evaluate leave of a network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        digits = load_digits()
        grey = (digits.images * 15.9).astype(np.uint8).repeat(2, 1).repeat(2, 2)
        self.images = np.repeat(grey[..., None], 3, axis=-1)
        self.labels = digits.target.astype(np.int64)
        with StoreWriter(folder / "data/ingest", SIDE) as writer:
            for image in self.images:
                writer.append(image)
        number = len(self.labels)
        Manifest(
            classes=tuple("0123456789"), labels=self.labels, splits=SPLITS,
            sha256=tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in self.images),
            names=tuple(map(str, range(number))), groups=(None,) * number,
            widths=np.full(number, SIDE), heights=np.full(number, SIDE),
        ).write(folder / "data/ingest")  # fmt: skip
        colours.decided(SIDE, "stretch").write(folder / "data/ingest")
        self._params = YAML().load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
        self._params["ingest"].update(image_size_px=SIDE, fit="stretch")
        self.budget(None)

    def budget(self, max_latency_ms: float | None) -> None:
        self._params["budget"]["max_latency_ms"] = max_latency_ms
        with (self.folder / "params.yaml").open("w", encoding="utf-8") as file:
            YAML().dump(self._params, file)

    def train(self, made: nn.Sequential, steps: int) -> float:
        """Train and put it in place with its measures; the latency of one image, ms."""
        rows = np.flatnonzero(SPLITS == "train")
        pixels = torch.tensor(self.images[rows] / 255, dtype=torch.float32).permute(0, 3, 1, 2)
        inputs, targets = (pixels - 0.3) / 0.4, torch.tensor(self.labels[rows])
        optimizer = torch.optim.Adam(made.parameters(), 0.003)
        for step in range(steps):
            at = torch.arange(step * 64, step * 64 + 64) % len(rows)
            optimizer.zero_grad()
            nn.functional.cross_entropy(made(inputs[at]), targets[at]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return self._put(made.eval())

    def _put(self, made: nn.Sequential) -> float:
        folder, reports = self.folder / "models/compress", self.folder / "reports/evaluate"
        for each in (folder, reports):
            each.mkdir(parents=True, exist_ok=True)
        file = folder / "model.onnx"
        export(made, file, image_size_px=SIDE, mean=MEAN, std=STD)
        card = {"classes": list("0123456789"), "image_size_px": SIDE, "fit": "stretch"}
        (folder / "model.json").write_text(json.dumps(card | {"background": [0, 0, 0]}))
        test = np.flatnonzero(SPLITS == "test")
        right = onnx.predict(onnx.session(file, 1), self.images[test]).argmax(1)
        accuracy = float((right == self.labels[test]).mean())
        timed = measure_session(
            file, image_size_px=SIDE, threads=1, batch_size=8, repeats=50,
            rng=np.random.default_rng(0),
        )  # fmt: skip
        latency = timed.latency_ms
        scores: dict[str, Any] = {"accuracy": accuracy, "size_mb": file.stat().st_size / 1e6}
        (reports / "metrics.json").write_text(json.dumps({"compress": scores}))
        (reports / "speed.json").write_text(json.dumps({"compress": {"latency_ms": latency}}))
        (reports / "report.html").write_text(f"<h1>evaluation</h1>{gate_line.HTML}")
        (reports / "model_card.md").write_text(f"# A card\n\nRight on {accuracy:.1%}.\n")
        return latency

    def publish(self) -> str:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
        done = subprocess.run(
            [sys.executable, "-m", "thawline.cli", "publish"],
            cwd=self.folder, env=kept | {"PYTHONPATH": str(REPOSITORY)}, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    @property
    def report(self) -> str:
        return (self.folder / "reports/publish/report.html").read_text(encoding="utf-8")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / ".dvc").mkdir()
    return Workspace(tmp_path)


def test_one_wins_one_is_not_good_enough_and_one_is_too_slow(workspace: Workspace) -> None:
    quick = workspace.train(network(8, 0), steps=40)
    assert "version 1: passed" in workspace.publish()

    workspace.train(network(8, 1), steps=400)
    said = workspace.publish()
    assert "version 2: passed" in said
    assert "credibly better" in said
    assert workspace.aliases() == {"champion": "2", "previous": "1", "challenger": "2"}
    assert workspace.tags("2")["thawline.gate"] == "passed"
    assert "version 2 is the champion now" in workspace.report
    assert workspace.client.get_model_version("thawline", "2").description.startswith("# A card")

    workspace.train(network(8, 1), steps=60)
    assert "version 3: failed" in workspace.publish()
    assert workspace.tags("3")["thawline.gate"] == "failed"
    assert workspace.tags("3")["thawline.gate.reason"].startswith("gate.max_drop: 0.02; accuracy")
    assert "credibly worse" in workspace.report
    assert "looked at this test set 2 times" in workspace.report

    slow = workspace.train(network(192, 4), steps=3)
    assert slow > 4 * quick
    workspace.budget(round(2 * quick, 4))
    assert "version 4: failed" in workspace.publish()
    reason = workspace.tags("4")["thawline.gate.reason"]
    assert reason.startswith("budget.max_latency_ms: ")
    assert "compress.latency_ms is " in reason
    assert "version 4 does not replace the champion" in workspace.report
    assert workspace.aliases() == {"champion": "2", "previous": "1", "challenger": "4"}
