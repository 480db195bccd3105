"""Models: what describes them, their weights, those of other trainers, exported networks."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests import colours
from tests.faults.fuzz.damage import Kind, refusable

_CARD = {
    "format": 1, "family": "resnet", "name": "resnet18", "dropout": 0.1, "stem": "small",
    "classes": ["a", "b"], "image_size_px": 32, "fit": "crop", "background": [0, 0, 0],
    "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2],
}  # fmt: skip
_LEVELS = {"channels": {"trunk.x": [3, 4]}, "levels": [{"block": 1, "grid": 2}], "refit": True}


def cards() -> Kind:
    """Read model.json as training does and as predicting does."""
    from thawline.models import checkpoint
    from thawline.prediction.model import Predictor

    def read(data: bytes, folder: Path) -> None:
        (folder / checkpoint.CARD).write_bytes(data)
        (folder / "model.onnx").touch()
        refusable(lambda: checkpoint.read_card(folder))
        refusable(lambda: Predictor(folder))

    whole = [_CARD, _CARD | {"refit": True, "bit_depth": 12}, _CARD | _LEVELS]
    return Kind(files=[json.dumps(card).encode() for card in whole], read=read, text=True)


def weights() -> Kind:
    """Read safetensors."""
    from safetensors.numpy import save

    from thawline.models.weights import read_state

    def read(data: bytes, folder: Path) -> None:
        (folder / "w.safetensors").write_bytes(data)
        refusable(lambda: read_state(folder / "w.safetensors"))

    arrays = {f"layer.{k}.weight": np.ones((3, k + 1), np.float32) for k in range(4)}
    return Kind(files=[save(arrays), save({"a": np.zeros(0, np.float16)})], read=read, text=True)


def checkpoints() -> Kind:
    """Read what torch.save wrote: nested, behind prefixes, in the old form, damaged or resaved."""
    from thawline.models import weights

    def read(data: bytes, folder: Path) -> None:
        path = folder / "w.pth"
        path.write_bytes(data if data[:2] == b"PK" else _around(data))
        refusable(
            lambda: [
                found.state.keys() for found in weights.without_prefixes(weights.read_state(path))
            ]
        )

    tensors = {f"layer.{k}.weight": torch.ones(3, k + 1) for k in range(3)}
    wrapped = {f"module.{name}": value for name, value in tensors.items()}
    trees: list[Any] = [
        tensors,
        {"state_dict": wrapped, "epoch": 3, "optimizer": {"state": {0: {"step": torch.ones(1)}}}},
        {"model": {"state_dict": {f"_orig_mod.{k}": v for k, v in tensors.items()}}, "args": "x"},
        {"model_ema": tensors | {"n_averaged": torch.ones(())}},
    ]
    files = []
    for tree in trees:
        for new in (True, False):
            buffer = io.BytesIO()
            torch.save(tree, buffer, _use_new_zipfile_serialization=new)
            files.append(buffer.getvalue())
    pickles = [_pickle_of(file) for file in files if file[:2] == b"PK"]
    return Kind(files=files + pickles, read=read)


def refits() -> Kind:
    """Read the head that was fitted once more, and give it to a network."""
    from torch import nn

    from thawline.training.refit import FILE, Refit

    for place in ("start", "tuned"):
        Path(place).mkdir(exist_ok=True)
        (Path(place) / "model.safetensors").write_bytes(b"x")
    labels = np.arange(4) % 2

    def read(data: bytes, folder: Path) -> None:
        (folder / FILE).write_bytes(data)

        def use() -> None:
            found = Refit.read(folder)
            assert found is not None
            found.scored(labels)
            network: Any = nn.ModuleDict({"head": nn.Linear(3, 2)})
            found.apply(network, folder / "start", folder / "tuned")

        refusable(use)

    head = {"head.weight": torch.ones(2, 3), "head.bias": torch.ones(2)}
    Refit(head=head, validation=np.ones((4, 2), np.float32)).write(Path())
    return Kind(files=[Path(FILE).read_bytes()], read=read, text=True)


def networks() -> Kind:
    """Open exported networks and predict with them."""
    from thawline.prediction.model import Predictor
    from thawline.prediction.predict import predict

    folder = colours.write(Path("served"), size_px=32)
    whole = (folder / "model.onnx").read_bytes()
    Image.new("RGB", (8, 8)).save(folder / "one.png")

    def read(data: bytes, _: Path) -> None:
        (folder / "model.onnx").write_bytes(data)
        refusable(lambda: list(predict([str(folder / "one.png")], Predictor(folder))))

    return Kind(files=[whole], read=read)


def _pickle_of(checkpoint: bytes) -> bytes:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        return archive.read(name)


def _around(pickled: bytes) -> bytes:
    """A whole checkpoint whose zip is right and whose pickle is damaged; else the old form."""
    if pickled[:2] != b"\x80\x02" or b"storage" not in pickled[:400]:
        return pickled
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("w/data.pkl", pickled)
        archive.writestr("w/byteorder", b"little")
        for number in range(8):
            archive.writestr(f"w/data/{number}", bytes(48))
        archive.writestr("w/version", b"3\n")
    return buffer.getvalue()
