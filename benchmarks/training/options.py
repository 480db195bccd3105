"""What the command line says of the case that is measured."""

import argparse

from benchmarks.training.material import Case
from thawline.models import device


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--network", default="efficientnet/tf_efficientnet_lite0")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--size", type=int, default=64, help="of an image, px")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16", "auto"))
    return parser


def case(given: argparse.Namespace) -> Case:
    device.setup(threads=given.threads, seed=0)
    family, _, name = given.network.partition("/")
    chosen = Case(
        family=family,
        name=name,
        size_px=given.size,
        batch_size=given.batch,
        images=given.images,
        epochs=given.epochs,
        device=device.select(given.device),
        precision=given.precision,
        thawed=0,
    )
    blocks = len(chosen.network()) - 1
    return Case(**{**vars(chosen), "thawed": blocks // 3})
