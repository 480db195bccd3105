"""A stage's outputs, as dvc.yaml and dvc.lock name them: promised hashes, and putting them back."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from thawline.tracking.hashes import promised

_DVC_FILE, _LOCK = Path("dvc.yaml"), Path("dvc.lock")


def hashed(stage: str, dvc_file: Path = _DVC_FILE) -> list[Path]:
    """Outputs that equal inputs give equal hashes: those that DVC caches; measurements are not."""
    if not dvc_file.exists():
        return []
    spec = _stage(dvc_file, stage)
    entries = [e for key in ("outs", "metrics", "plots") for e in spec.get(key, [])]
    return [Path(path) for path, options in map(_entry, entries) if promised(options)]


def put_back(stage: str) -> None:
    """Restore what dvc.lock records: DVC deleted it before the stage could object to its input.

    Does nothing outside of DVC, which then deleted nothing. What is not in DVC's cache stays away.
    """
    if os.environ.get("DVC_STAGE") != stage or not _LOCK.exists():
        return
    _dvc("checkout", "--quiet", "--force", stage)
    # Checkout leaves out what is not cached, e.g. metrics in git; the run cache has a copy.
    outs = _stage(_LOCK, stage).get("outs", [])
    missing = {Path(out["path"]): out["md5"] for out in outs if not Path(out["path"]).exists()}
    cache = Path(_dvc("cache", "dir").strip()) if missing else Path()
    for path, md5 in missing.items():
        stored = cache / "files" / "md5" / md5[:2] / md5[2:]
        if stored.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(stored, path)


def _stage(file: Path, name: str) -> Mapping[str, Any]:
    content = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
    found: Mapping[str, Any] = content["stages"].get(name, {})
    return found


def _entry(entry: str | Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    ((path, options),) = entry.items()
    return path, options


def _dvc(*words: str) -> str:
    command = [sys.executable, "-m", "dvc", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout
