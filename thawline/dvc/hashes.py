"""Hashes of outputs as DVC computes them, and what dvc.yaml and dvc.lock say about them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thawline.dvc import code
from thawline.runtime import safe_yaml

_CHUNK = 1 << 20


def md5(path: Path) -> str:
    """DVC's hash of a file (md5) or of a directory (`<md5>.dir` over its sorted file list).

    Source: dvc-data 3, `dvc_data.hashfile.tree.Tree.digest`.
    """
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        entries = [{"md5": _file(p), "relpath": p.relative_to(path).as_posix()} for p in files]
        entries.sort(key=lambda entry: entry["relpath"])
        listing = json.dumps(entries, sort_keys=True).encode()
        return hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir"
    return _file(path)


def present(paths: list[str] | tuple[str, ...]) -> dict[str, str]:
    """path -> hash of those that exist, paths as they stand in dvc.yaml."""
    return {path: md5(Path(path)) for path in paths if Path(path).exists()}


def digest(outs: dict[str, str]) -> str:
    """One hash over several outputs, 32 characters."""
    text = json.dumps(sorted((path.rstrip("/"), value) for path, value in outs.items()))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Graph:
    """The stages of dvc.yaml with their outputs, and the hashes recorded in dvc.lock.

    The stage `code` is none of them: what it makes is no result, but what results are made by.

    Args:
        folder: the workspace; files that are missing or unreadable count as empty.
    """

    def __init__(self, folder: Path) -> None:
        self._written = _stages(folder / "dvc.yaml")
        self._stages = {name: spec for name, spec in self._written.items() if name != code.STAGE}
        self._lock = _recorded(folder / "dvc.lock")

    @property
    def stages(self) -> tuple[str, ...]:
        """Names as in dvc.yaml, each after those it depends on, as far as dvc.lock tells."""
        done: list[str] = []
        for name in self._stages:
            self._visit(name, done, ())
        return tuple(done)

    @property
    def written(self) -> tuple[str, ...]:
        """Names in the order of dvc.yaml."""
        return tuple(self._stages)

    def until(self, stage: str) -> tuple[str, ...]:
        """List a stage and those that it needs, in the order of dvc.yaml, by what that says."""
        needed, waiting = set[str](), [stage]
        while waiting:
            name = waiting.pop()
            if name in self._stages and name not in needed:
                needed.add(name)
                deps = [str(dep).rstrip("/") for dep in _list(self.spec(name).get("deps"))]
                waiting += [
                    other
                    for other in self._stages
                    if any(_inside(d, o.rstrip("/")) for d in deps for o in self.outputs(other))
                ]
        return tuple(name for name in self._stages if name in needed)

    def spec(self, stage: str) -> Mapping[str, Any]:
        """Give a stage's part of dvc.yaml, templates as they are written; empty for no stage."""
        found = self._written.get(stage)
        return found if isinstance(found, dict) else {}

    def outputs(self, stage: str) -> tuple[str, ...]:
        """Everything the stage makes, metrics and plots too.

        Only with the measured ones is it certain which run made what DVC restored: two runs whose
        params differ can give equal models.
        """
        entries = [next(iter(e), "") if isinstance(e, dict) else e for e in self._outs(stage)]
        return tuple(map(str, entries))

    def uncached(self) -> tuple[str, ...]:
        """List outputs that DVC keeps no copy of, of all stages and of `code`."""
        entries = [entry for stage in self._written for entry in self._outs(stage)]
        found = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
        kept = [(path, how.get("cache")) for path, how in found if isinstance(how, dict)]
        return tuple(str(path) for path, cached in kept if cached is False)

    def recorded(self, stage: str) -> dict[str, str]:
        """path -> hash of the outputs in dvc.lock; empty where the stage never ran."""
        wanted = {path.rstrip("/"): path for path in self.outputs(stage)}
        outs = self._lock.get(stage, {}).get("outs", [])
        found = {wanted.get(str(out["path"]).rstrip("/")): out.get("md5") for out in outs}
        return {path: value for path, value in found.items() if path and value}

    def entry(self, stage: str) -> Mapping[str, Any]:
        """Give inputs, outputs and params of a stage in dvc.lock; empty where it never ran."""
        return self._lock.get(stage, {})

    def params(self, stage: str) -> dict[str, Any]:
        """Read dotted key -> value of params.yaml that the stage last ran with."""
        found = self._lock.get(stage, {}).get("params")
        values = found.get("params.yaml") if isinstance(found, dict) else None
        return values if isinstance(values, dict) else {}

    def current(self, stage: str) -> bool:
        """Tell whether the stage last ran on the outputs that the stages before it have now."""
        made = self._made()
        return all(made.get(path, value) == value for path, value in self.needed(stage).items())

    def received(self, stage: str) -> dict[str, str]:
        """path -> hash of what other stages made and dvc.yaml names as the stage's input."""
        deps = {str(dep).rstrip("/") for dep in _list(self.spec(stage).get("deps"))}
        return {path: value for path, value in self._made().items() if path in deps and value}

    def needed(self, stage: str) -> dict[str, str | None]:
        """path -> hash of what the stage ran on last; empty where it never ran."""
        deps = self._lock.get(stage, {}).get("deps", [])
        return {str(dep["path"]).rstrip("/"): dep.get("md5") for dep in deps}

    def digest(self, fresh: Mapping[str, dict[str, str]] | None = None) -> str | None:
        """One hash over the outputs of all stages; None where one of them never ran.

        Args:
            fresh: stage -> outputs that are newer than dvc.lock, which DVC writes after the stage.
        """
        found = [(fresh or {}).get(name) or self.recorded(name) for name in self._stages]
        if not found or not all(found):
            return None
        return digest({path: value for outs in found for path, value in outs.items()})

    def _outs(self, stage: str) -> list[Any]:
        spec = self.spec(stage)
        return [entry for kind in ("outs", "metrics", "plots") for entry in _list(spec.get(kind))]

    def _made(self) -> dict[str, str | None]:
        return {
            str(out["path"]).rstrip("/"): out.get("md5")
            for name in self._stages
            for out in self._lock.get(name, {}).get("outs", [])
        }

    def _visit(self, name: str, done: list[str], path: tuple[str, ...]) -> None:
        if name in done or name in path:
            return
        needs = [str(dep["path"]).rstrip("/") for dep in self._lock.get(name, {}).get("deps", [])]
        for other in self._stages:
            made = [str(o["path"]).rstrip("/") for o in self._lock.get(other, {}).get("outs", [])]
            if other != name and any(_inside(need, out) for need in needs for out in made):
                self._visit(other, done, (*path, name))
        done.append(name)


def _inside(path: str, out: str) -> bool:
    return path == out or path.startswith(out + "/")


def _file(path: Path) -> str:
    found = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            found.update(block)
    return found.hexdigest()


def _recorded(path: Path) -> dict[str, dict[str, Any]]:
    """Read dvc.lock as far as it goes: DVC writes it in place, so it may be half there."""
    return {
        name: {kind: _entries(spec.get(kind)) for kind in ("deps", "outs")}
        | {"params": spec.get("params")}
        for name, spec in _stages(path).items()
        if isinstance(spec, dict)
    }


def _entries(found: Any) -> list[dict[str, Any]]:
    return [entry for entry in _list(found) if isinstance(entry, dict) and entry.get("path")]


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _stages(path: Path) -> dict[str, Any]:
    try:
        content = safe_yaml.parse_machine_written(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    stages = content.get("stages") if isinstance(content, dict) else None
    return stages if isinstance(stages, dict) else {}
