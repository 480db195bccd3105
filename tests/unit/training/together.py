"""One process of a training, run by test_devices.py: python together.py FOLDER DEVICES JSON."""

import json
import os
import sys
from pathlib import Path

import torch
from conftest import card_of_digits, packed, recipe_of, small_network

from thawline.features import fingerprints
from thawline.models import device
from thawline.params import params_file as files
from thawline.training import distributed as groups
from thawline.training.context import Machine
from thawline.training.resume import Resume
from thawline.training.train import train

PARAMS = Path(__file__).parents[3] / "params.yaml"
KILLED = 137


def main(folder: Path, devices: int, changes: dict[str, object]) -> None:
    read = files.load(PARAMS)
    batch_size = int(changes.get("batch_size", 16))  # type: ignore[call-overload]
    update = {"devices": devices, "device": "cpu", "threads": 1, "batch_size": batch_size}
    params = read.model_copy(update={"training": read.training.model_copy(update=update)})
    stop_after, fails = changes.pop("stop_after", None), changes.pop("fails", None)
    with groups.start_group(params) as group:
        device.setup(threads=1, seed=0)
        if group.rank and fails:
            raise SystemExit(str(fails))
        own = folder / f"{devices}-{group.rank}"
        own.mkdir(parents=True, exist_ok=True)
        machine = Machine(
            device=torch.device("cpu"), precision="float32", workers=0, seed=0, group=group
        )
        resume = (
            None if group.rank else Resume("fine_tune", {}, minutes=1e-9, folder=folder / "kept")
        )

        def on_epoch(number: int, _: object) -> None:
            if number == stop_after and not group.rank:
                os._exit(KILLED)

        network = small_network(dropout=float(changes.pop("dropout", 0.0)))  # type: ignore[arg-type]
        history = train(
            network, card_of_digits(), packed(own), recipe_of(**changes), machine, on_epoch, resume
        )
        if group.rank == 0:
            found = {
                "epochs": history.epochs,
                "weights": fingerprints.hash_tensors(network.state_dict()),
            }
            (folder / f"{devices}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
