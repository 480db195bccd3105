"""Read and write data/holdout.csv, the images of a test set that was drawn anew.

`thawline holdout --refresh` writes the file; without rows in it a hash decides, as ever. Rows are
known by their pixels, so that renaming a file moves nothing.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from thawline.errors import UserError
from thawline.ingest.tables import csv_rows
from thawline.runtime.output_paths import replaced, write_csv

HEADER = ("image", "sha256")
_DIGITS = 64


def read(path: Path) -> frozenset[str]:
    """Read the pixel hashes of the listed images; none for a missing or empty file.

    Raises:
        UserError: it is not such a table.
    """
    if not path.exists():
        return frozenset()
    hashes = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = filter(None, csv_rows.read(file, strict=True))
            if next(rows, None) != list(HEADER):
                raise UserError(f"{path} row 1: expected the columns {','.join(HEADER)}")
            for number, row in enumerate(rows, start=2):
                if len(row) != len(HEADER) or len(row[1]) != _DIGITS or not _is_hex(row[1]):
                    raise UserError(
                        f"{path} row {number}: expected an image and {_DIGITS} hex digits"
                    )
                hashes.add(row[1])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return frozenset(hashes)


def write(path: Path, images: Iterable[tuple[str, str]]) -> None:
    """Write the table sorted, all of it or nothing: a part would be a test set too."""
    with replaced(path) as half:
        write_csv(half, HEADER, sorted(images))


def splits(
    listed: frozenset[str],
    keys: Sequence[str],
    sha256: Sequence[str],
    given: Sequence[str | None],
) -> list[str | None]:
    """Replace the test split among the predefined splits by the drawn one.

    What is listed, with its whole group, is test. What was test trains, what was train or
    validation stays: no row that a model may have seen gets into the new test set.

    Args:
        listed: pixel hashes of the drawn test images.
        keys: group, else hash of the pixels, per row; rows with equal keys share a split.
        sha256: hash of the pixels per row.
        given: predefined split per row, or None.

    Raises:
        UserError: none of the listed images is there.
    """
    drawn = {key for key, digest in zip(keys, sha256, strict=True) if digest in listed}
    if not drawn:
        raise UserError(
            "data/holdout.csv: none of its images is in the source; with the line "
            f"{','.join(HEADER)} alone the test set is drawn by a hash again"
        )
    pairs = zip(keys, given, strict=True)
    return ["test" if key in drawn else "val" if own == "val" else "train" for key, own in pairs]


def _is_hex(text: str) -> bool:
    return set(text) <= set("0123456789abcdef")
