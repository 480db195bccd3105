"""Write small outputs of stages: JSON metrics and CSV tables, equal content in equal bytes."""

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thawline.errors import UserError
from thawline.runtime import workspace

INGEST = Path("data/ingest")
MANIFEST = "manifest.parquet"
"""Name of the file in INGEST."""
LABEL_FIXES = Path("data/label_fixes.csv")
HOLDOUT = Path("data/holdout.csv")
ROWS = Path("data/rebalance/rows.parquet")
POLICY = Path("data/augment/policy.json")
MINORITY = Path("data/augment/minority")
MODELS = Path("models")
REPORTS = Path("reports")
_FORMULA = re.compile(r"'*[=+\-@\t\r](?!\d*\.?\d+(e[+-]?\d+)?$)")


def write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_metrics(stage: str, metrics: Mapping[str, Any]) -> None:
    """Write `reports/<stage>/metrics.json`, numbers to six decimals for readable diffs."""
    write_json(REPORTS / stage / "metrics.json", rounded(metrics))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file; text that looks like a formula gets an apostrophe before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([cell(value) for value in row] for row in rows)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Provide a file beside another one, which it replaces at the end.

    A kill leaves the old one.
    """
    half = path.with_name(f".{path.name}.half")
    try:
        yield half
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def cell(value: Any) -> Any:
    """Escape a CSV cell: class and file names come from strangers. Numbers stay."""
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def uncell(text: str) -> str:
    """Undo `cell`."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text, 1) else text


_DAMAGE = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError,
    MemoryError, csv.Error,
)  # fmt: skip
"""pyarrow's errors are of these (one of memory where a header asks for too much); columns and keys
that are not there are the other kinds."""


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Translate errors while an output of an earlier stage is read.

    Raises:
        UserError: it is missing, cut, or something else than that stage writes.
    """
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: not there; `dvc repro` makes it") from None
    except _DAMAGE as error:
        # A damaged name may be in it.
        problem = "".join(c if c.isprintable() else "?" for c in " ".join(str(error).split())[:160])
        raise UserError(
            f"{path}: damaged: {problem}; `dvc checkout --force` or `dvc repro` brings it back"
        ) from None


def rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Provide a folder that appears under its name only when it is complete.

    Nothing is left otherwise.
    """
    scratch = workspace.scratch() / "staging"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=f"{target.name}-") as temporary:
        folder = Path(temporary) / target.name
        folder.mkdir()
        yield folder
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.move(folder, target)
        except OSError:  # another file system, where moving is copying, is full
            shutil.rmtree(target, ignore_errors=True)
            raise
