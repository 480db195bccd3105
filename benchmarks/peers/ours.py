"""Thawline itself, by the code of its stages, with params.yaml as it is but for what the task and
`--set` say.

ingest of the folder with the splits it comes with, rebalance (no strategy: the others see each
image once an epoch too), augment, transfer_learn and fine_tune, in a project of its own, without
DVC and MLflow. The clock starts before ingest: packing the images and the report about them count,
since the others read their files within the training; "prepared" says how much that was.

transfer_learn passes the training images through the network once for each of augment.views; its
epochs are over what was kept. fine_tune gets the epochs that are left.
"""

import importlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.params import changed
from benchmarks.peers.task import Clock, Task, given, hand_in
from thawline.params.plugin_rules import NOTHING
from thawline.params.schema.whole import Params
from thawline.runtime import openmp, workspace
from thawline.runtime.output_paths import HOLDOUT, INGEST, LABEL_FIXES, MODELS
from thawline.tracking.client import StageRun

_PREPARE, _TRAIN = ("ingest", "rebalance", "augment"), ("transfer_learn", "fine_tune")
_IMPORTED_LATE = (
    "matplotlib.pyplot", "timm", "albumentations", "cv2", "thawline.ingest.collect",
    "thawline.ingest.splits.divide", "thawline.ingest.dedup.resolve", "thawline.augment._preview",
    "thawline.report.data.page", "thawline.plots.class_sizes",
    "thawline.evaluation.network_summary", "thawline.models.inference",
    "thawline.models.surgery.record",
    "thawline.training.create_network", "thawline.training.stage",
)  # fmt: skip
"""What the stages import in their functions: no racer's clock counts imports."""


class Told(StageRun):
    """Says the accuracy of each epoch instead of tracking it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(None)
        self._clock = clock

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        if step is not None:
            self._clock.epoch(values["val_accuracy"])


def main(task: Task) -> None:
    openmp.wait_briefly()  # as stage.run does, before torch is there
    stages = {name: importlib.import_module(f"stages.{name}") for name in (*_PREPARE, *_TRAIN)}
    for name in _IMPORTED_LATE:
        importlib.import_module(name)
    params = _of(task, changed(task.changes))
    with tempfile.TemporaryDirectory() as folder:
        _enter(Path(folder))
        clock = Clock()
        for name in _PREPARE:
            stages[name].main(params, StageRun(None))
        print(json.dumps({"prepared": round(clock.seconds(), 4)}), flush=True)
        for name in _TRAIN:
            stages[name].main(params, Told(clock))
        hand_in(task, _predicted(task))
        os.chdir(task.folder)


def _of(task: Task, params: Params) -> Params:
    views = params.augment.views
    if task.epochs <= views:
        raise SystemExit(f"--epochs {task.epochs}: transfer_learn alone takes {views}")
    fixed = {
        "ingest": {
            "source": "folder", "path": str(task.folder), "options": {},
            "image_size_px": task.size_px, "near_duplicate_distance": None,
        },
        "rebalance": {"strategy": "none", "options": {}},
        "augment": {"policy": task.policy, "options": {}},
        "training": {"batch_size": task.batch_size, "threads": task.threads, "device": "cpu"},
        "fine_tune": {"epochs": task.epochs - views},
    }  # fmt: skip
    update = {
        name: getattr(params, name).model_copy(update=values) for name, values in fixed.items()
    }
    return params.model_copy(update=update | {"seed": task.seed})


def _enter(folder: Path) -> None:
    """An empty project: no cache and no checkpoint of a race before."""
    source = Path.cwd()
    for table in (LABEL_FIXES, HOLDOUT):
        (folder / table).parent.mkdir(exist_ok=True)
        shutil.copy(source / table, folder / table)
    (folder / NOTHING).touch()
    os.environ[workspace.VARIABLE] = str(folder)
    os.chdir(folder)


def _predicted(task: Task) -> np.ndarray:
    from thawline.dataset.image_store import ImageStore
    from thawline.dataset.manifest import Manifest
    from thawline.models import checkpoint
    from thawline.models.inference import BATCH, probabilities

    manifest, store = Manifest.read(INGEST), ImageStore(INGEST)
    row_of = {name: row for row, name in enumerate(manifest.names)}
    rows = np.array([row_of[str(file.relative_to(task.folder))] for file, _ in task.files("test")])
    network, card = checkpoint.load(MODELS / _TRAIN[-1])
    found: np.ndarray = probabilities(network, store.batches(rows, BATCH), card).argmax(axis=1)
    return found


if __name__ == "__main__":
    main(given(__doc__))
