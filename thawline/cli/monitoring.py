"""Compare new files with the validation images of this workspace: `thawline monitor`."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from thawline.cli.predicting import find
from thawline.cost import ort_session as onnx
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.decided import Decided
from thawline.ingest.decoding.preprocess import Geometry
from thawline.monitoring import drift
from thawline.monitoring.sample import LIMIT, draw
from thawline.params import params_file
from thawline.prediction.decoding import Batch, batches
from thawline.prediction.listing import listed
from thawline.prediction.model import Predictor
from thawline.prediction.predict import check
from thawline.runtime.escape import visible
from thawline.runtime.output_paths import INGEST, MANIFEST, replaced
from thawline.runtime.progress import log, track

MIN_IMAGES = 30
_BATCH = 64


def run(
    paths: list[str], named: str | None = None, *, alpha: float = 0.01, output: Path | None = None
) -> bool:
    """Compare, and write the report to a file or to standard output.

    Images that the model was not fitted to stand for the training data, where it is too confident:
    validation images, or test images (their labels are not read) where the last fit had the
    validation images too.

    Args:
        paths: as in `predicting.run`.
        named: as in `predicting.run`.
        alpha: chance of a false alarm, over all questions together.
        output: file for the report; None for standard output.

    Returns:
        True where something has drifted.

    Raises:
        UserError: no data here, too few images, a model of other data, or nowhere to write to.
    """
    if output:
        _check_output(output)
    checked = params_file.load()
    model, manifest = find(named), _manifest()
    _check(model, manifest, Decided.read(INGEST))
    decoded = batches(listed(paths, sys.stdin.buffer), model.geometry)
    network = onnx.session(model.network, os.cpu_count() or 1)
    check(network, model)
    rng, bad = np.random.default_rng(checked.seed), Counter[str]()
    with onnx.running(model.network):
        new = draw(track(_usable(decoded, bad), "decoding batches"), network, rng)
    split = "test" if model.saw_validation else "validation"
    rows = manifest.rows("test" if model.saw_validation else "val")
    rows = np.sort(rng.permutation(rows)[:LIMIT])
    reference = draw(ImageStore(INGEST).batches(rows, _BATCH), network, rng)
    if min(len(new), len(reference)) < MIN_IMAGES:
        raise UserError(
            f"{len(new)} new and {len(reference)} {split} images; at least {MIN_IMAGES} of each"
        )
    answers = drift.ask(reference, new, rng)
    text = drift.report(
        answers,
        reference,
        new,
        classes=model.classes,
        alpha=alpha,
        num_bad=bad.total(),
        split=split,
    )
    if output:
        _write(output, text)
    else:
        print(text, end="")
    return bool(drift.drifted(answers, alpha))


def _check_output(path: Path) -> None:
    """Check the output before the work: a report that cannot be written would be lost."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        problem = "is a folder" if path.is_dir() else "its folder does not exist"
        raise UserError(f"--output: {visible(str(path))}: {problem}; expected the name of a file")


def _write(path: Path, text: str) -> None:
    """Write a regular file all at once; anything else, such as /dev/stdout, directly."""
    if path.exists() and (path.is_symlink() or not path.is_file()):
        path.write_text(text, encoding="utf-8")
        return
    with replaced(path) as half:
        half.write_text(text, encoding="utf-8")


def _manifest() -> Manifest:
    if not (INGEST / MANIFEST).is_file():
        raise UserError(f"{INGEST / MANIFEST}: not there; `thawline run` or `dvc pull` makes it")
    return Manifest.read(INGEST)


def _check(model: Predictor, manifest: Manifest, decided: Decided) -> None:
    """Check that both samples come to the network in the same way."""
    packed = Geometry(
        image_size_px=decided.image_size_px,
        fit=decided.fit,
        background=decided.background,
        bit_depth=decided.bit_depth,
    )
    if model.geometry != packed:
        raise UserError(
            f"{model.network}: takes images of {model.geometry.image_size_px} px, "
            f"{model.geometry.fit}; {INGEST} holds {packed.image_size_px} px, {packed.fit}"
        )
    if model.classes != manifest.classes:
        raise UserError(f"{model.network}: has other classes than {INGEST}")


def _usable(decoded: Iterator[Batch], bad: Counter[str]) -> Iterator[np.ndarray]:
    """Yield pixels; log files that cannot be used, and count them by reason."""
    for batch in decoded:
        for file in batch.bad:
            log(f"{visible(file.name)}: {visible(file.reason)}")
            bad[file.reason] += 1
        if batch.names:
            yield batch.pixels
