"""What every stage does around its own work: check params, lock, track, report mistakes in one line.

Light on purpose: params are checked and the tracking process is on its way before a stage imports
torch.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from ruamel.yaml import YAML

from thawline import locks, params
from thawline.errors import UserError
from thawline.sections import Params
from thawline.tracking.client import StageRun, open_stage_run

Main = Callable[[Params, StageRun], None]
_DVC_FILE = Path("dvc.yaml")


def run(name: str, main: Main) -> NoReturn:
    """Run a stage's main and end the process.

    Exit codes: 0; 2 for a user's mistake, whose message is the last line on stderr; 130 after
    Ctrl-C, 143 after SIGTERM. DVC turns any failure into its own 255.
    """
    signal.signal(signal.SIGTERM, _terminate)
    # Threads of OpenMP that spin while they wait starve whatever else runs here: beside one busy
    # process a training step on 2 cores took 2.7 s instead of 0.4 s. Read once, when torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    locks.die_with_parent()
    try:
        checked = params.load()
        with locks.workspace(name), open_stage_run(name, checked, hashed_outputs(name)) as stage_run:
            main(checked, stage_run)
    except UserError as error:
        _put_back(name)
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        sys.exit(UserError.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def hashed_outputs(stage: str, dvc_file: Path = _DVC_FILE) -> list[Path]:
    """Outputs of a stage whose hashes are promised: those that DVC caches; measurements are not."""
    if not dvc_file.exists():
        return []
    spec = YAML(typ="safe", pure=True).load(dvc_file.read_text(encoding="utf-8"))["stages"][stage]
    entries = [e for key in ("outs", "metrics", "plots") for e in spec.get(key, [])]
    return [Path(path) for path, options in map(_entry, entries) if options.get("cache", True)]


def _entry(entry: str | Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    ((path, options),) = entry.items()
    return path, options


def _put_back(stage: str) -> None:
    """DVC deleted the outputs before the stage could object: restore those that dvc.lock records."""
    if os.environ.get("DVC_STAGE") != stage or not Path("dvc.lock").exists():
        return
    command = [sys.executable, "-m", "dvc", "checkout", "--quiet", "--force", stage]
    subprocess.run(command, check=False, capture_output=True)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    sys.exit(128 + signum)
