"""Read from DVC which stage needs which, once per dvc.yaml and params.yaml."""

import hashlib
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from thawline.flows import processes
from thawline.params import params_file
from thawline.runtime import safe_json, workspace

_EDGE = re.compile(r'^"(?P<needed>[^"]+)"(?: -> "(?P<stage>[^"]+)")?;$')
_READ = ("dvc.yaml", params_file.FILE)
"""Files that the graph is made of: its templates take the names of plugins from params."""


class Dag:
    """Graph of the stages; DVC computes it while the run itself starts, unless it is cached.

    DVC takes a second of a processor for it, which a run with nothing to do has to share.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = _key(folder)
        self._edges = _known(self._key)
        self._dvc = None if self._edges is not None else _drawing(folder)

    @property
    def stages(self) -> list[str]:
        """Names of the stages, without files that DVC merely tracks."""
        named = {name for edge in self._read() for name in edge if name}
        return sorted(name for name in named if not name.endswith(".dvc"))

    def needs(self, stage: str) -> list[str]:
        return [needed for needed, other in self._read() if other == stage]

    def end(self) -> None:
        if self._dvc is None:
            return
        processes.end(self._dvc, grace_s=0.5)
        if self._dvc.stdout is not None:
            self._dvc.stdout.close()

    def _read(self) -> list[tuple[str, str | None]]:
        if self._edges is None:
            assert self._dvc is not None
            text = self._dvc.communicate()[0].decode()
            found = [_EDGE.match(line.strip()) for line in text.splitlines()]
            self._edges = [(edge["needed"], edge["stage"]) for edge in found if edge]
            if self._dvc.returncode == 0 and _key(self._folder) == self._key:
                _remember(self._key, self._edges)
        return self._edges


def _drawing(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", "dag", "--dot"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "DVC_ROOT"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _key(folder: Path) -> str:
    digest = hashlib.sha256(metadata.version("dvc").encode())
    for name in _READ:
        with suppress(OSError):  # then DVC says so
            digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()


def _known(key: str) -> list[tuple[str, str | None]] | None:
    try:
        found = safe_json.loads(_path().read_text(encoding="utf-8"))
        return (
            [(needed, stage) for needed, stage in found["edges"]] if found["key"] == key else None
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _remember(key: str, edges: list[tuple[str, str | None]]) -> None:
    half = _path().with_suffix(f".{os.getpid()}")
    with suppress(OSError):  # a full disk costs the next run a second
        half.parent.mkdir(exist_ok=True)
        half.write_text(json.dumps({"key": key, "edges": edges}), encoding="utf-8")
        half.replace(_path())


def _path() -> Path:
    return workspace.scratch() / "dag.json"
