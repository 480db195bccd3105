"""Compare Thawline with nothing set against other tools, on the sets of `sets.py`.

    python -m benchmarks.own_images.sets SETS
    python3 -m venv PEERS && PEERS/bin/pip install -r benchmarks/peers/requirements.txt
    python -m benchmarks.own_images SETS --python PEERS/bin/python --out DIR [--sets NAME ...]
        [--tools NAME ...] [--sizes 64 128 224] [--seeds 5] [--estimate]
    python -m benchmarks.own_images SETS --out DIR --report

Every tool reads the same files, with what it does with transparency by default, and begins from the
same ImageNet weights below a new classifier. Each run is a process of its own whose clock starts
with it; what only looks at the test images is not counted. A run whose record is in DIR is not done
again. --report writes DIR/report.md and a picture of each set; --estimate only says how long.
fashion-60000 runs when it is named. Seconds compare on a quiet machine alone; on a busy one, for
accuracy, OMP_WAIT_POLICY=PASSIVE keeps threads from waiting for each other in a loop, which made a
run of the recipe on cards take 266 s instead of 97.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks.own_images import estimate, plot, records, report
from benchmarks.own_images.running import run_one
from benchmarks.own_images.sets import SETS, note_of
from benchmarks.peers.race import FailedError
from thawline.plots import style

_DEFAULT = [name for name in SETS if name != "fashion-60000"]
"""All but the one that takes several times as long as the others together."""


def main() -> None:
    given = _arguments()
    if given.report:
        _report(given.out)
        return
    planned = records.planned(given.sets, given.tools, given.sizes, given.seeds)
    left = records.left(planned, given.out)
    print(
        f"{len(planned)} runs, {len(left)} of them left: about {_how_long(given, left)}; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        flush=True,
    )
    if not given.estimate:
        with tempfile.TemporaryDirectory() as scratch:
            for run in left:
                _do(run, given, Path(scratch))


def _do(run: records.Run, given: argparse.Namespace, scratch: Path) -> None:
    began = time.perf_counter()
    named = f"{run.set_name}, {run.tool}, {run.size_px or 'its own'} px, seed {run.seed}"
    try:
        record = run_one(run, given.folder, given.python, scratch, given.timeout)
        record.write(given.out)
        said = f"{record.right.mean():.2%} in {record.seconds:.0f} s"
    except FailedError as failure:
        said = f"failed: {failure}"
    print(f"{named}: {said} ({time.perf_counter() - began:.0f} s)", flush=True)


def _how_long(given: argparse.Namespace, runs: list[records.Run]) -> str:
    known = records.read_all(given.out)
    total = 0.0
    for run in runs:
        note = json.loads(note_of(given.folder, run.set_name).read_text(encoding="utf-8"))
        total += estimate.seconds(run, note["train"], note["test"], known)
    return estimate.worded(total)


def _report(out: Path) -> None:
    found = records.read_all(out)
    if not found:
        raise SystemExit(f"{out}: no records")
    rows = report.best_rows(found)
    parts = [
        report.overview(rows),
        report.table(rows),
        report.shipped(rows),
        report.about_seconds(found, os.cpu_count() or 1),
    ]
    text = "\n\n".join(parts) + "\n"
    (out / "report.md").write_text(text, encoding="utf-8")
    print(text)
    for name in rows:
        members = [record for record in found if record.run.set_name == name]
        style.save(plot.accuracy_over_time(name, members), out / f"{name}.png")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="SETS", help="what sets.py wrote")
    parser.add_argument("--python", type=Path, help="of the other tools")
    parser.add_argument("--out", type=Path, required=True, help="for the records and the report")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=_DEFAULT, metavar="NAME")
    parser.add_argument(
        "--tools", nargs="+", choices=records.TOOLS, default=list(records.TOOLS), metavar="NAME"
    )
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 224], metavar="PX")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=14_400.0, help="of one run, s")
    parser.add_argument(
        "--estimate", action="store_true", help="say how long it takes, run nothing"
    )
    parser.add_argument("--report", action="store_true", help="write the report, run nothing")
    given = parser.parse_args()
    others = set(given.tools) - {records.OURS}
    if others and not (given.report or given.estimate or given.python):
        parser.error(f"--python: needed for {', '.join(sorted(others))}")
    return given


if __name__ == "__main__":
    main()
