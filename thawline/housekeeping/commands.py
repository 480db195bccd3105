"""git and DVC as programs, whose failure is one line."""

import subprocess
import sys

from thawline.errors import UserError


def git(*words: str) -> str:
    return _output("git", *words)


def dvc(*words: str) -> str:
    """What it wrote to both of its outputs."""
    return _output(sys.executable, "-m", "dvc", *words)


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        what = " ".join(command[:5]).removeprefix(f"{sys.executable} -m ")
        raise UserError(f"`{what}` failed: {said}")
    return done.stdout + (done.stderr if "dvc" in command else "")
