"""Run `thawline predict`."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from thawline.errors import UserError
from thawline.ingest import accounting
from thawline.prediction.listing import STDIN, Bad, listed
from thawline.prediction.model import Predictor
from thawline.prediction.predict import Prediction, predict
from thawline.prediction.writing import Write, as_csv, as_json, as_table
from thawline.runtime.escape import visible
from thawline.runtime.output_paths import MODELS
from thawline.runtime.progress import log, track

ALIASES = ("champion", "challenger", "previous")


def run(paths: list[str], named: str | None = None, *, top_k: int = 1, form: str = "table") -> bool:
    """Predict files on standard output; bad ones are named on standard error and skipped.

    Args:
        paths: see `listing.listed`.
        named: see `find`.
        top_k: classes per file.
        form: table, csv or json.

    Returns:
        True where every file could be used.

    Raises:
        UserError: no such model, or one that is damaged.
    """
    model = find(named)
    if not 1 <= top_k <= len(model.classes):
        raise UserError(f"--top-k: {top_k} is not allowed; 1 to {len(model.classes)} classes")
    out, num_bad = sys.stdout, 0
    writers = {"csv": as_csv, "json": as_json}
    write: Write = writers[form](out) if form in writers else as_table(out, model.classes)
    passed_over = Counter[str]()
    files = listed(paths, sys.stdin.buffer, passed_over)
    for result in _with_progress(paths, predict(files, model, top_k=top_k)):
        if isinstance(result, Prediction):
            write(result)
        else:
            log(f"{visible(result.name)}: {visible(result.reason)}")
            num_bad += 1
    if num_bad:
        log(f"{num_bad} file(s) skipped")
    if passed_over:
        log(f"passed over: {accounting.numbers(passed_over)}")
    return not num_bad


def find(named: str | None) -> Predictor:
    """Find the model of models/compress, of a folder, or of the registry.

    Args:
        named: an alias, a version's number, or a folder (`./3` for one that looks like a number).
    """
    if named in ALIASES or (named and named.isdecimal()):
        from thawline.registry.versions import fetch

        return Predictor(fetch(str(named)))
    return Predictor(Path(named) if named else MODELS / "compress")


def _with_progress(
    paths: list[str], results: Iterable[Prediction | Bad]
) -> Iterator[Prediction | Bad]:
    """Show a progress bar, unless the lines themselves appear on the terminal."""
    if sys.stdout.isatty():
        return iter(results)
    known = STDIN not in paths
    total = sum(1 for _ in listed(paths, sys.stdin.buffer)) if known else None
    return track(results, "predicting", total)
