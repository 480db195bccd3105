"""Refuse a `budget.max_minutes` in which no answer is possible, before any work."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

from thawline.errors import UserError
from thawline.params import edit
from thawline.params import params_file as parameters
from thawline.params.schema.design import resolve_stem
from thawline.params.schema.whole import Params
from thawline.training import time_plan

KEY = "budget.max_minutes"
_MINUTE_S = 60.0


def check(params: Params) -> None:
    """Compare the limit with the time to a first answer; without a limit do nothing.

    The network is counted in a process of its own, since PyTorch stays in the one that loads it.

    Raises:
        UserError: the limit is less than start-up, decoding and one pass of the network take.
    """
    limit, threads = params.budget.max_minutes, params.training.threads
    if limit is None:
        return
    num_images = count_images(params)
    seconds = time_plan.first_answer_seconds(num_images, 0, threads)
    if seconds <= limit * _MINUTE_S and num_images:
        macs, rates = _count_network(params)
        seconds = time_plan.first_answer_seconds(num_images, macs, threads, rates=rates)
    if seconds <= limit * _MINUTE_S:
        return
    work = "start-up takes"
    if num_images:
        over = f"{num_images:,} images and one pass of {params.model.name} over them"
        work = f"start-up, decoding {over} take"
    least = math.ceil(100 * seconds / _MINUTE_S) / 100
    raise UserError(
        f"{parameters.FILE}: {KEY}: {limit:g} is too little for a first answer: {work} "
        f"about {seconds:.0f} s with {threads} threads; "
        f"allowed: at least {least:g}, or null"
    )


def with_limit(params: Params, minutes: float) -> Params:
    """Replace the limit in the params, checked like those of the file.

    Raises:
        UserError: the limit is out of range.
    """
    raw = params.model_dump(mode="json")
    raw["budget"]["max_minutes"] = minutes
    return parameters.check(raw)


def write(before: Params, minutes: float, path: Path = parameters.FILE) -> None:
    """Write the limit into params.yaml and print so; do nothing where it is there already."""
    was = before.budget.max_minutes
    if was == minutes:
        return
    edit.set_values({KEY: minutes}, path)
    said = "null" if was is None else f"{was:g}"
    print(f"{path}: {KEY} is set to {minutes:g}; it was {said}", flush=True)


def count_images(params: Params) -> int:
    """Count the files of a folder that may be images, by their names; 0 for any other source."""
    if params.ingest.source != "folder":
        return 0
    from thawline.ingest.decoding.file_format import SUFFIXES
    from thawline.ingest.files.file_filter import passed_by  # loads NumPy

    number = 0
    for _, folders, names in os.walk(params.ingest.path):
        folders[:] = [name for name in folders if not passed_by(name)]
        number += sum(not passed_by(n) and Path(n).suffix.lower() in SUFFIXES for n in names)
    return number


def _count_network(params: Params) -> tuple[float, time_plan.Rates]:
    """Count the multiply-accumulates of an image, and return the rates of such networks.

    0 where the image size is not known yet.
    """
    size = params.ingest.image_size_px
    if not isinstance(size, int):
        return 0.0, time_plan.DENSE
    m = params.model
    stem = resolve_stem(m.stem, family=m.family, weights=m.weights, image_size_px=size)
    asked = {"model": m.model_dump(mode="json"), "stem": stem, "image_size_px": size}
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(asked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return 0.0, time_plan.DENSE
    found = json.loads(done.stdout)
    kind = time_plan.DEPTHWISE if found["depthwise"] else time_plan.DENSE
    return float(found["macs"]), kind


def _main() -> None:
    """Count what stdin asks for, on PyTorch's device `meta`, and write it to stdout."""
    import torch

    from thawline.cost.flops import num_macs
    from thawline.models import network as networks
    from thawline.models.precision import has_depthwise
    from thawline.params.schema.network import Model

    asked = json.load(sys.stdin)
    m = Model.model_validate(asked["model"])
    with torch.device("meta"):
        network = networks.build(
            m.family, m.name, num_classes=2, dropout=0.0, seed=0, stem=asked["stem"],
            design=m.design,
        )  # fmt: skip
    macs = num_macs(network, asked["image_size_px"])
    print(json.dumps({"macs": macs, "depthwise": has_depthwise(network)}))


if __name__ == "__main__":
    _main()
