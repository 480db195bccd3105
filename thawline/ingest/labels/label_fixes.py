"""Read hand-made corrections of labels: a CSV file kept with the code.

Columns `image` (the manifest's name), `label`, and optionally `was`, the label it had; a
correction whose `was` is not the label any more is refused, so that none is applied twice.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thawline.errors import UserError
from thawline.ingest.labels.class_names import canonical
from thawline.ingest.tables import csv_rows
from thawline.runtime.escape import escape
from thawline.runtime.output_paths import uncell

_DELIMITERS = ",;\t"
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Fix:
    row: int
    """Row number as in a spreadsheet: the header is row 1."""
    label: int
    was: int | None


@dataclass
class LabelFixes:
    """Corrections by the image's name, and which of them were used."""

    file: str
    classes: tuple[str, ...]
    fixes: dict[str, Fix] = field(default_factory=dict)
    _met: set[str] = field(default_factory=set)

    def label(self, name: str, label: int) -> int:
        """Return the corrected label of an image, else its own.

        Raises:
            UserError: the correction names another old label.
        """
        fix = self.fixes.get(name)
        if fix is None:
            return label
        self._met.add(name)
        if fix.was is not None and fix.was != label:
            raise _refusal(
                self.file,
                fix.row,
                f"{escape(name)!r} is labelled {escape(self.classes[label], 60)!r}, not "
                f"{escape(self.classes[fix.was], 60)!r} as column 'was' says",
            )
        return fix.label

    def check_all_met(self) -> None:
        """Refuse corrections of images that the source does not have, or that cannot be used.

        Raises:
            UserError: with the first such image.
        """
        missing = [name for name in self.fixes if name not in self._met]
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise _refusal(
                self.file,
                self.fixes[missing[0]].row,
                f"{escape(missing[0])!r} is no image of the source, or one that cannot be "
                f"used{more}; expected a name as in the manifest",
            )


def read(path: Path, classes: Sequence[str]) -> LabelFixes:
    """Read and check the corrections; a missing file, or a header only, corrects nothing.

    Raises:
        UserError: a missing column, an empty cell, an unknown class or an image twice, with the
            row; text that is not CSV.
    """
    found = LabelFixes(str(path), tuple(classes))
    number_of = {name: number for number, name in enumerate(classes)}
    for row, cells in _rows(path):
        name = cells["image"]
        if not name or not cells["label"]:
            raise _refusal(str(path), row, f"column {'label' if name else 'image'!r} is empty")
        if name in found.fixes:
            raise _refusal(
                str(path), row, f"{escape(name)!r} is in row {found.fixes[name].row} already"
            )
        cells |= {column: canonical(cells[column]) for column in ("label", "was")}
        for column in ("label", "was"):
            if cells[column] and cells[column] not in number_of:
                raise _unknown(str(path), row, column, cells[column], classes)
        was = number_of[cells["was"]] if cells["was"] else None
        found.fixes[name] = Fix(row, number_of[cells["label"]], was)
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield row numbers and cells; a byte-order mark and semicolons are accepted."""
    if not path.exists():
        return
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path}: more than {_MAX_BYTES} bytes")
        with path.open(encoding="utf-8-sig", newline="") as text:
            first = text.readline(csv_rows.MAX_ROW_CHARACTERS)
            text.seek(0)
            rows = csv_rows.read(text, max(_DELIMITERS, key=first.count), strict=True)
            cells = next(rows, [])
            if not cells and not any(rows):
                return
            header = _header(path, cells)
            for number, cells in enumerate(rows, start=2):
                if len(cells) > len(header):
                    problem = f"{len(cells)} cells where the header has {len(header)}"
                    raise _refusal(str(path), number, problem)
                if cells:
                    yield number, _cells_by_column(header, cells)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text: {error.reason}") from None
    except csv.Error as error:
        raise UserError(f"{path}: no CSV: {error}") from None


def _header(path: Path, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    for column in header:
        if column not in ("image", "label", "was") or header.count(column) > 1:
            raise _refusal(str(path), 1, f"column {escape(column, 40)!r}; expected image,label,was")
    if "image" not in header or "label" not in header:
        raise _refusal(str(path), 1, "expected the columns image,label,was")
    return header


def _cells_by_column(header: list[str], cells: list[str]) -> dict[str, str]:
    texts = [uncell(cell.strip()) for cell in cells] + [""] * (len(header) - len(cells))
    return {"was": "", **dict(zip(header, texts, strict=True))}


def _unknown(file: str, row: int, column: str, value: str, classes: Sequence[str]) -> UserError:
    listed = ", ".join(escape(name, 40) for name in classes[:10])
    more = f" and {len(classes) - 10} more" if len(classes) > 10 else ""
    return _refusal(
        file, row, f"{column} {escape(value, 60)!r} is not a class; allowed: {listed}{more}"
    )


def _refusal(file: str, row: int, problem: str) -> UserError:
    return UserError(f"{file} row {row}: {problem}")
