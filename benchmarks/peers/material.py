"""What the racers train on: a set as folders of PNG files, and the weights that all begin with.

    python -m benchmarks.peers.material FOLDER [--data digits | SOURCE:PATH] [--size 64]
        [--max-train N] [--max-test N] [--policy characters] [--mirror] [--batch 32] [--threads 2]

train, val and test as Thawline divides the set, every image already of the size that all train on;
the ImageNet weights of params.yaml's network under timm's names, without the classifier.
"""

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors.torch import save_file

from benchmarks.data_set import packed, thinned
from benchmarks.peers.task import META, SPLITS, WEIGHTS
from thawline.models import network as networks
from thawline.models import pretrained, weights
from thawline.params import params_file as parameters
from thawline.params import plugins
from thawline.params.schema.whole import Params
from thawline.training.context import TrainingData

LEAST_AREA = 0.5
"""Of a random crop. torchvision's 8 % is for photographs; of a digit it leaves a stroke."""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--data", default="digits", help="digits, or SOURCE:PATH")
    parser.add_argument("--size", type=int, help="of the images, px; that of params.yaml if absent")
    parser.add_argument(
        "--max-train", type=int, help="training rows at most; a quarter to validate"
    )
    parser.add_argument("--max-test", type=int)
    parser.add_argument("--policy", help="Thawline's augmentation; that of params.yaml if absent")
    parser.add_argument("--mirror", action="store_true", help="the others mirror images too")
    parser.add_argument("--batch", type=int, help="that of params.yaml if absent")
    parser.add_argument("--threads", type=int, help="those of params.yaml if absent")
    return parser


def params_of(given: argparse.Namespace) -> Params:
    """params.yaml with what the command line says of the images."""
    params = parameters.load()
    changed: dict[str, dict[str, Any]] = {
        "ingest": {"image_size_px": given.size},
        "augment": {"policy": given.policy},
        "training": {"batch_size": given.batch, "threads": given.threads},
    }
    update = {
        name: getattr(params, name).model_copy(
            update={key: value for key, value in values.items() if value is not None}
        )
        for name, values in changed.items()
    }
    return params.model_copy(update=update)


def write(folder: Path, given: argparse.Namespace) -> dict[str, int]:
    """Everything that a racer reads.

    Returns:
        Images in each split.
    """
    params = params_of(given)
    with tempfile.TemporaryDirectory() as store:
        data = packed(given.data, Path(store), params)
        if given.max_train is not None:
            data = thinned(data, given.max_train, params.seed)
        counts = _write_images(folder, _with_fewer_to_test(data, given.max_test, params.seed))
    write_weights(folder / WEIGHTS, params)
    described = networks.describe(params.model.family, params.model.name)
    meta = {
        "classes": data.manifest.classes,
        "size_px": data.store.image_size_px,
        "network": params.model.name,
        "mean": described.mean,
        "std": described.std,
        "dropout": params.model.dropout,
        "batch_size": params.training.batch_size,
        "threads": params.training.threads,
        "mirror": given.mirror,
        "least_area": LEAST_AREA,
        "policy": params.augment.policy,
    }
    (folder / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")
    return counts


def _with_fewer_to_test(data: TrainingData, most: int | None, seed: int) -> TrainingData:
    splits = data.manifest.splits.copy()
    rows = np.random.default_rng(seed).permutation(data.manifest.rows("test"))
    splits[rows[most:] if most is not None else rows[:0]] = "unused"
    return replace(data, manifest=replace(data.manifest, splits=splits))


def _write_images(folder: Path, data: TrainingData) -> dict[str, int]:
    manifest, counts = data.manifest, {}
    for split in SPLITS:
        for name in manifest.classes:
            (folder / split / name).mkdir(parents=True)
        rows = manifest.rows(split)
        for row in rows:
            place = folder / split / manifest.classes[manifest.labels[row]] / f"{row:06d}.png"
            cv2.imwrite(str(place), data.store[row][..., ::-1])
        counts[split] = len(rows)
    return counts


def write_weights(path: Path, params: Params) -> None:
    """Write the ImageNet weights of a network under timm's names, without the classifier."""
    family, name = params.model.family, params.model.name
    module = plugins.load(plugins.FAMILY, family)
    known = plugins.input_names(plugins.FAMILY, family)
    own = {"stem": "imagenet", "depth": 1.0, "width": 1.0}
    shape = {key: value for key, value in own.items() if key in known}
    network = module.build(name, num_classes=2, dropout=0.0, **shape)
    file = weights.imagenet(module, family, name)
    pretrained.load(module, network, network, file, keep_head=False)
    classifier = set(map(id, network.get_classifier().parameters()))
    found = {
        key: value.detach().contiguous()
        for key, value in network.state_dict(keep_vars=True).items()
        if id(value) not in classifier
    }
    save_file(found, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], parents=[arguments()])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    print(write(given.folder, given))


if __name__ == "__main__":
    main()
