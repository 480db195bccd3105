"""Write predictions for a person, a spreadsheet or a program, as they come."""

import csv
import json
from collections.abc import Callable
from typing import TextIO

from thawline.prediction.predict import Prediction
from thawline.runtime.escape import visible

Write = Callable[[Prediction], None]
_CLASS_WIDTH = 24
_FORMULA = ("=", "+", "-", "@")


def as_table(out: TextIO, classes: tuple[str, ...]) -> Write:
    """Write a line per file: probability and class, the likeliest first, and the name."""
    width = min(_CLASS_WIDTH, max(len(visible(name)) for name in classes))

    def write(prediction: Prediction) -> None:
        cells = [f"{100 * p:5.1f} %  {visible(name, width):<{width}}" for name, p in prediction.top]
        out.write("  ".join([*cells, visible(prediction.name)]) + "\n")

    return write


def as_csv(out: TextIO) -> Write:
    """Write a header, and a row per file and class."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("image", "rank", "class", "probability"))

    def write(prediction: Prediction) -> None:
        for rank, (name, probability) in enumerate(prediction.top, start=1):
            writer.writerow((_cell(prediction.name), rank, _cell(name), f"{probability:.6f}"))

    return write


def as_json(out: TextIO) -> Write:
    """Write one JSON object per file and line, from which names can be read back exactly."""

    def write(prediction: Prediction) -> None:
        top = [{"class": name, "probability": round(p, 6)} for name, p in prediction.top]
        out.write(json.dumps({"image": prediction.name, "predictions": top}) + "\n")

    return write


def _cell(text: str) -> str:
    """Escape a text to one line that no spreadsheet takes for a formula."""
    shown = visible(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
