"""git and DVC as programs, whose failure is one line."""

import json
import subprocess
import sys

from thawline.errors import UserError


def git(*words: str) -> str:
    """Run git; return what it wrote, without line breaks at the ends.

    Raises:
        UserError: it failed.
    """
    return _run("git", *words).stdout.strip("\n")


def dvc(*words: str) -> str:
    """Likewise."""
    return _run(sys.executable, "-m", "dvc", *words).stdout.strip("\n")


def dvc_messages(*words: str) -> str:
    """Likewise, with what it wrote for a person, which goes to its other output."""
    done = _run(sys.executable, "-m", "dvc", *words)
    return done.stdout + done.stderr


def stale(stage: str) -> bool:
    """Tell whether `dvc repro` would run a stage of dvc.yaml, or one before it, or restore it.

    Raises:
        UserError: DVC cannot tell.
    """
    return bool(json.loads(dvc("status", "--json", "--with-deps", stage) or "{}"))


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(f"{command[0]}: is not installed, or not in PATH") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        what = " ".join(command[:5]).removeprefix(f"{sys.executable} -m ")
        raise UserError(f"`{what}` failed: {said}")
    return done
