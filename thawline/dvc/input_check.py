"""Check that a stage's inputs are what the stages before it made.

DVC takes a write-protected file in its cache for what its name says (dvc-data 3,
`LocalHashFileDB.check`): one that a disk or a person damaged is checked out as if it were whole,
and `dvc status` finds everything up to date.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from thawline.dvc import cache, hashes
from thawline.errors import UserError
from thawline.runtime import safe_json, workspace


def check(stage: str, graph: hashes.Graph) -> None:
    """Compare the inputs with dvc.lock. Outside of DVC, where they may be anything, do nothing.

    Damaged files in DVC's cache are removed, so that it makes or fetches them again.

    Raises:
        UserError: an input is something else.
    """
    if os.environ.get("DVC_STAGE") != stage:
        return
    known = _known()
    for name, md5 in graph.received(stage).items():
        path = Path(name)
        if path.exists() and _hash(path, known) != md5:
            removed = _remove_damaged(md5)
            also = f"; {removed} damaged file(s) removed from DVC's cache" if removed else ""
            raise UserError(
                f"{name}: not what dvc.lock records{also}; "
                f"`rm -r '{name}'`, then `dvc repro` or `dvc pull`, brings it back"
            )
    _remember(known)


def _hash(path: Path, known: dict[str, list[str]]) -> str:
    """By its content the first time, then by the sizes and times of its files."""
    key, look = str(path.resolve()), _look(path)
    if known.get(key, [""])[0] != look:
        known[key] = [look, hashes.md5(path)]
    return known[key][1]


def _look(path: Path) -> str:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(str(file), (stat := file.stat()).st_size, stat.st_mtime_ns, stat.st_ino)
             for file in files]  # fmt: skip
    return hashlib.md5(repr(stats).encode(), usedforsecurity=False).hexdigest()


def _remove_damaged(md5: str) -> int:
    """List what of a file or folder in the cache is not what its name says."""
    stored = cache.cached(md5)
    names = [md5]
    if md5.endswith(".dir") and stored is not None and stored.is_file():
        with suppress(ValueError, LookupError, TypeError):  # the list is what is damaged
            names += [str(entry["md5"]) for entry in safe_json.loads(stored.read_bytes())]
    files = [(name, cache.cached(name)) for name in names]
    damaged = [
        file
        for name, file in files
        if file is not None and file.is_file() and hashes.md5(file) != name.split(".")[0]
    ]
    for file in damaged:
        file.unlink()
    return len(damaged)


def _path() -> Path:
    return workspace.scratch() / "received.json"


def _known() -> dict[str, list[str]]:
    try:
        found = safe_json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        key: value
        for key, value in found.items()
        if isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) for v in value)
    }


def _remember(known: dict[str, list[str]]) -> None:
    part = _path().with_suffix(f".{os.getpid()}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(json.dumps(known), encoding="utf-8")
    part.replace(_path())
