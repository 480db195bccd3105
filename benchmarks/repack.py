"""Ingest of a large set, once more, and once more with 1 % of new images.

    python -m benchmarks.repack [COUNT] [SIZE_PX]

Photographs of 256 px, made from scikit-learn's two: random crops with noise, JPEG, so that no two
are equal. Each round: with an empty cache of decoded images; the same set again, as after an edit
of the code of the data report; 1 % more images. Medians of three.
"""

import hashlib
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.ingest import make_photographs, make_project, run_stage, set_params

_ROUNDS = 3


def main(count: str = "20000", size_px: str = "224") -> None:
    number = int(count)
    taken: dict[str, list[float]] = {"cold": [], "again": [], "with 1 % more": []}
    with tempfile.TemporaryDirectory() as scratch:
        project, folder = make_project(Path(scratch) / "project"), Path(scratch) / "photographs"
        set_params(
            project, {"source": "folder", "path": str(folder), "image_size_px": int(size_px)}
        )
        new = make_photographs(folder, number + number // 100, (256, 256))[number:]
        for _ in range(_ROUNDS):
            _hide(new)
            taken["cold"].append(run_stage(project)[0])
            before = _content(project)
            taken["again"].append(run_stage(project, cold=False)[0])
            assert _content(project) == before
            _show(new)
            taken["with 1 % more"].append(run_stage(project, cold=False)[0])
    print(f"ingest of {number} photographs at {size_px} px, medians of {_ROUNDS}:")
    for kind, seconds in taken.items():
        print(f"  {kind:<14}{statistics.median(seconds):>7.1f} s")


def _hide(files: list[Path]) -> None:
    for file in files:
        file.rename(file.with_suffix(".hidden"))


def _show(files: list[Path]) -> None:
    for file in files:
        file.with_suffix(".hidden").rename(file)


def _content(project: Path) -> str:
    """Hash of all that the stage wrote."""
    digest = hashlib.sha256()
    for file in sorted((project / "data" / "ingest").iterdir()):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
