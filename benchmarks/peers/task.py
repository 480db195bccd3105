"""What a racer is given and what it hands back; needs NumPy alone, so any Python can import it."""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

META, WEIGHTS = "meta.json", "weights.safetensors"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A folder of `material.py`, and how it is to be trained on.

    Attributes:
        folder: train, val and test with a folder per class, of PNG files of size_px a side.
        network: timm's name for what weights.safetensors holds, without its classifier.
        mean, std: of the pixels in [0, 1] that those weights expect.
        mirror: whether an image may be mirrored.
        least_area: the smallest share of an image that a random crop may leave.
        policy: Thawline's name for its augmentation.
        epochs: passes of all training images through the network.
        out: where the predictions go, .npz.
        changes: KEY=VALUE of params.yaml; Thawline's own.
    """

    folder: Path
    classes: tuple[str, ...]
    size_px: int
    network: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dropout: float
    batch_size: int
    threads: int
    mirror: bool
    least_area: float
    policy: str
    epochs: int
    seed: int
    out: Path
    changes: tuple[str, ...] = ()

    def files(self, split: str) -> list[tuple[Path, int]]:
        """Images of a split and their classes, in the order that predictions have."""
        return [
            (file, label)
            for label, name in enumerate(self.classes)
            for file in sorted((self.folder / split / name).iterdir())
        ]


def given(doc: str | None) -> Task:
    """The task that the command line names."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="what benchmarks.peers.material wrote")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="for the predictions, .npz")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE, Thawline's own")
    words = parser.parse_args()
    folder, out = words.folder.resolve(), words.out.resolve()
    meta: dict[str, Any] = json.loads((folder / META).read_text(encoding="utf-8"))
    meta |= {key: tuple(meta[key]) for key in ("classes", "mean", "std")}
    return Task(
        **meta, folder=folder, out=out, epochs=words.epochs, seed=words.seed,
        changes=tuple(words.set),
    )  # fmt: skip


class Clock:
    """Runs from here on; a line of JSON for each epoch."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def epoch(self, val_accuracy: float) -> None:
        """Say what the network reaches on the validation images."""
        line = {"seconds": round(self.seconds(), 4), "val_accuracy": float(val_accuracy)}
        print(json.dumps(line), flush=True)


def hand_in(task: Task, predicted: np.ndarray) -> None:
    """Args:
    predicted: class of each test image in the order of `task.files`, int64 (N,).
    """
    labels = np.array([label for _, label in task.files("test")], np.int64)
    assert predicted.shape == labels.shape, (predicted.shape, labels.shape)
    np.savez(task.out, predicted=predicted.astype(np.int64), labels=labels)
