"""What a stage tells the process that is to fork it, and what both must have in common."""

import json
import os
import resource
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_FREE_PREFIXES = ("THAWLINE_", "DVC_", "MLFLOW_", "PREFECT_", "GIT_")
_FREE = frozenset(
    {
        "PWD", "OLDPWD", "SHLVL", "_", "PATH", "PYTHONUNBUFFERED", "COLUMNS", "LINES", "TERM",
        "IFS", "PS1", "PS2", "USER", "LOGNAME",
    }
)  # fmt: skip
"""Variables that no library reads while it loads, beside those that begin with a prefix above.

The last line has what the shell takes away, sets or adds through which DVC starts a stage: bash
takes PS1, which activating a virtual environment exports.
"""
_LIMITS = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))


@dataclass(frozen=True, kw_only=True)
class ProcessRequest:
    """A Python program, `python -m module`, as another process is to run it.

    Attributes:
        argv, orig_argv, path: of `sys`.
        interruptible: whether Ctrl-C is for it.
        encoding, errors: of its standard streams.
        detached: whether it may outlive the process that asked, which does not hear how it ended.
    """

    module: str
    argv: list[str]
    orig_argv: list[str]
    path: list[str]
    cwd: str
    environ: dict[str, str]
    umask: int
    interruptible: bool
    encoding: str
    errors: str
    surroundings: dict[str, Any]
    detached: bool = False

    @classmethod
    def of_this_process(
        cls, environ: dict[str, str], module: str | None = None
    ) -> "ProcessRequest | None":
        """None for a program that cannot be handed over.

        Args:
            environ: added to the variables.
            module: what runs, where `python -m` does not tell.
        """
        spec = getattr(sys.modules["__main__"], "__spec__", None)
        module = module or (spec and spec.name)
        examined = sys._xoptions or sys.warnoptions or sys.gettrace() or sys.getprofile()
        if module is None or examined:
            return None
        os.umask(mask := os.umask(0))  # the only way to read it sets it
        return cls(
            module=module,
            argv=sys.argv,
            orig_argv=sys.orig_argv,
            path=sys.path,
            cwd=str(Path.cwd()),
            environ=dict(os.environ) | environ,
            umask=mask,
            interruptible=signal.getsignal(signal.SIGINT) != signal.SIG_IGN,
            encoding=sys.stdout.encoding,
            errors=sys.stdout.errors or "strict",
            surroundings=surroundings(),
        )

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, text: bytes) -> "ProcessRequest":
        return cls(**json.loads(text))


def surroundings() -> dict[str, Any]:
    """Describe what a process has from its start on, which a library may look at as it loads.

    A fork has those of the process that it comes from. JSON values.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.isidentifier()  # dash hands no others on
        and name not in _FREE
        and not name.startswith(_FREE_PREFIXES)
    }
    return {
        "python": [sys.executable, sys.version, list(sys.flags)],
        "environ": kept,
        "limits": [list(resource.getrlimit(limit)) for limit in _LIMITS],
        "cores": sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [],
        "user": [os.getuid(), os.getgid(), os.nice(0)],
    }
