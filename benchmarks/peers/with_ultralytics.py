"""ultralytics' `yolo classify`, with a network of its own of the nearest size, from scratch.

docs.ultralytics.com, "Classify" and "Train settings": its command takes networks of its own and
torchvision's by name, not timm's, and its weights come from its makers' servers alone, so it starts
from random ones and has no say in what is aimed at. Its defaults stand (`optimizer=auto`, three
epochs of warm-up, RandAugment, erasing, average of weights) but for mirroring where the task
forbids it, `cache=ram`, which reads each file once, no plots, and `deterministic=False`, which is
quicker. Seconds are those that it counts itself, from the start of the training on.

ultralytics is under the AGPL: this file starts its command and reads its tables, and imports
nothing of it.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.peers.task import Task, given, hand_in

_NETWORK = "yolo11n-cls.yaml"
"""1.6 million parameters; EfficientNet-Lite0 has 3.4 with ten classes."""
_NOTE = f"{_NETWORK.partition('.')[0]} from random weights"


def main(task: Task) -> None:
    for cached in task.folder.glob("*.cache"):  # of a race before
        cached.unlink()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # It logs to whatever it finds installed, and tells its makers.
        _yolo(folder, "settings", "sync=False", "mlflow=False", "tensorboard=False", "wandb=False")
        _yolo(folder, "classify", "train", *_words(task), f"project={folder}", "name=run")
        print(json.dumps({"note": _NOTE}))
        with (folder / "run" / "results.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file, skipinitialspace=True):
                found = {"seconds": row["time"], "val_accuracy": row["metrics/accuracy_top1"]}
                print(json.dumps({key: float(value) for key, value in found.items()}))
        hand_in(task, _predicted(task, folder))


def _words(task: Task) -> list[str]:
    values = {
        "model": _NETWORK, "data": task.folder, "imgsz": task.size_px, "batch": task.batch_size,
        "epochs": task.epochs, "seed": task.seed, "device": "cpu", "workers": 0, "cache": "ram",
        "fliplr": 0.5 if task.mirror else 0.0, "scale": 1.0 - task.least_area, "amp": False,
        "deterministic": False, "plots": False, "pretrained": False,
    }  # fmt: skip
    return [f"{key}={value}" for key, value in values.items()]


def _predicted(task: Task, folder: Path) -> np.ndarray:
    files = [file for file, _ in task.files("test")]
    listed = folder / "test.txt"
    listed.write_text("\n".join(map(str, files)) + "\n", encoding="utf-8")
    best = folder / "run" / "weights" / "best.pt"
    words = [f"model={best}", f"source={listed}", f"imgsz={task.size_px}", "device=cpu"]
    _yolo(
        folder, "classify", "predict", *words, "save_txt=True", "save=False", f"project={folder}",
        "name=said",
    )  # fmt: skip
    said = folder / "said" / "labels"
    # The likeliest class comes first: "0.93 name".
    likeliest = [(said / f"{file.stem}.txt").read_text().split("\n", 1)[0] for file in files]
    return np.array([task.classes.index(line.split(" ", 1)[1]) for line in likeliest])


def _yolo(folder: Path, *words: str) -> None:
    """Its command, whose settings stay in the folder."""
    command = Path(sys.executable).parent / "yolo"
    ended = subprocess.run(
        [str(command), *words],
        env={**os.environ, "YOLO_CONFIG_DIR": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        sys.exit((ended.stderr or ended.stdout).strip().splitlines()[-1])


if __name__ == "__main__":
    main(given(__doc__))
