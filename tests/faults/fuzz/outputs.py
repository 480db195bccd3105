"""Outputs of stages, which a person, a disk or another version may have changed."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.fuzz.damage import Kind, refusable


def manifests() -> Kind:
    """Read the table beside the packed images."""
    from thawline.dataset.manifest import Manifest
    from thawline.runtime.output_paths import MANIFEST

    def read(data: bytes, folder: Path) -> None:
        (folder / MANIFEST).write_bytes(data)
        refusable(lambda: Manifest.read(folder).digest())

    count = 20
    table = Manifest(
        classes=("a", "b"),
        labels=np.arange(count) % 2,
        splits=np.array(["train", "val"] * (count // 2)),
        sha256=tuple(f"{k:064x}" for k in range(count)),
        names=tuple(f"a/{k}.png" for k in range(count)),
        groups=(None,) * count,
        widths=np.arange(count),
        heights=np.arange(count),
    )
    table.write(Path())
    return Kind(files=[Path(MANIFEST).read_bytes()], read=read)


def rows() -> Kind:
    """Read which rows are trained on, and the sources of extra images."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from thawline.augment import _minority
    from thawline.dataset.rows import Rows

    def read(data: bytes, folder: Path) -> None:
        (folder / _minority.FILE).write_bytes(data)
        refusable(lambda: Rows.read(folder / _minority.FILE))
        refusable(lambda: _minority.Extras.read(folder))

    numbers = np.arange(9)
    Rows(indices=numbers, class_weights=np.ones(3), targets=np.array([3, 3, 4])).write(Path("r"))
    pq.write_table(pa.table({"row": numbers, "view": numbers}), "s")
    return Kind(files=[Path("r").read_bytes(), Path("s").read_bytes()], read=read)


def shards() -> Kind:
    """Read packed images, raw and JPEG, each file damaged in turn."""
    from thawline.dataset.encoding import encode
    from thawline.dataset.image_store import ImageStore, StoreWriter

    noise = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    whole: dict[str, dict[str, bytes]] = {}
    for encoding in ("raw", "jpeg"):
        place = Path(encoding)
        with StoreWriter(place, 16) as writer:
            for image in noise:
                writer.append(encode(image, encoding))
        whole[encoding] = {path.name: path.read_bytes() for path in place.iterdir()}
    named = [(kind, name) for kind, files in whole.items() for name in files]

    def read(data: bytes, _: Path) -> None:
        kind, name = min(named, key=lambda one: abs(len(whole[one[0]][one[1]]) - len(data)))
        (Path(kind) / name).write_bytes(data)

        def use() -> None:
            store = ImageStore(Path(kind))
            store.take(np.arange(len(store)))

        refusable(use)
        (Path(kind) / name).write_bytes(whole[kind][name])

    return Kind(files=[whole[kind][name] for kind, name in named], read=read, text=True)


def decisions() -> Kind:
    """Read what ingest and the trainings decided, their curves, the policy."""
    from thawline.ingest import decided
    from thawline.training import curves, freeze_decision

    def read(data: bytes, folder: Path) -> None:
        (folder / decided.FILE).write_bytes(data)
        (folder / freeze_decision.FILE).write_bytes(data)
        (folder / curves._METRICS).write_bytes(data)
        refusable(lambda: decided.Decided.read(folder))
        refusable(lambda: freeze_decision.FreezeDecision.read(folder))
        refusable(lambda: curves.read(folder))

    (Path() / curves.FILE).write_text("epoch,train_loss,val_loss\n1,0.5,0.4\n2,,0.3\n")
    one: dict[str, Any] = {
        key: {"value": value, "auto": True, "reason": "x"}
        for key, value in {
            "image_size_px": 32, "fit": "crop", "background": [0, 0, 0], "bit_depth": 12,
            "near_duplicate_distance": 4,
        }.items()
    }  # fmt: skip
    freeze_decision.given("fine_tune", "all", 0, from_scratch=True).write(Path())
    metrics = {"best_epoch": 1, "val_loss": 0.1, "val_accuracy": 0.5, "val_macro_f1": 0.4}
    files = [json.dumps(one).encode(), Path(freeze_decision.FILE).read_bytes()]
    return Kind(files=[*files, json.dumps(metrics).encode()], read=read, text=True)


def curves() -> Kind:
    """Read a training's curves."""
    from thawline.training import curves as training

    metrics = {"best_epoch": 1, "val_loss": 0.1, "val_accuracy": 0.5, "val_macro_f1": 0.4}
    Path(training._METRICS).write_text(json.dumps(metrics))

    def read(data: bytes, folder: Path) -> None:
        (folder / training.FILE).write_bytes(data)
        refusable(lambda: training.read(folder))

    text = "epoch,train_loss,val_loss,val_macro_f1\n1,0.5,0.4,0.2\n2,,0.3,0.3\n"
    return Kind(files=[text.encode()], read=read, text=True)
