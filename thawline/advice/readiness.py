"""Pack the data set before anything is measured on it; loads no PyTorch."""

import os
import subprocess
import sys
from pathlib import Path

from thawline.dvc import commands
from thawline.dvc.code import check as check_code
from thawline.errors import UserError
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.runtime import locks, workspace
from thawline.runtime.output_paths import INGEST, MANIFEST


def prepare_data_set(checked: Params) -> None:
    """Run `dvc repro ingest` where the packed images are missing or outdated.

    Raises:
        UserError: there is no project here, an input is missing, or the stage failed.
    """
    check_code()
    if not Path("dvc.yaml").is_file():
        raise UserError(
            f"dvc.yaml: not found in {workspace.workspace()}; run this in the project's folder"
        )
    params_file.check_inputs(checked)
    os.environ.pop("DVC_ROOT", None)  # of another repository, if set
    there = (INGEST / MANIFEST).exists()
    if there and not commands.stale("ingest"):
        return
    state = "was made with other params or files" if there else "holds no data set yet"
    print(f"{INGEST}: {state}; `dvc repro ingest` makes it", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "ingest"],
        stdout=sys.stderr,
        check=False,
        preexec_fn=locks.die_with_parent,  # no thread runs yet, so it is safe
    )
    if done.returncode:
        raise UserError("`dvc repro ingest` failed; see its output above")
