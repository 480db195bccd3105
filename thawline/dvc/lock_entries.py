"""Check that DVC wrote down what a stage was made of.

DVC reads params and inputs once more after a stage has ended, a moment after the stage itself has
compared them: what is edited just then would stand beside a result that was not made of it. So a
stage leaves a note of what it was made of, which is compared with dvc.lock by the next stage, at
the end of `thawline run`, and when the next execution begins.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from thawline.dvc import cache, hashes, run_cache
from thawline.dvc.appearance import look
from thawline.errors import UserError
from thawline.params import params_file
from thawline.runtime import execution, safe_yaml, workspace

_LOCK = Path("dvc.lock")
_NOTE = "made_of"


def note(
    stage: str,
    command: str,
    values: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, str],
    outs: Mapping[str, bool],
) -> None:
    """Leave word of what a stage was made of; see `made_of.Origin`."""
    made_of = {"command": command, "values": values, "files": files, "outs": outs}
    plain = json.loads(json.dumps(made_of, default=str))
    execution.note(execution.identify(), stage, **{_NOTE: plain})


def require() -> None:
    """Mend as `mended` does, before a stage that goes on from the results.

    Raises:
        UserError: something was untrue.
    """
    if problem := mended(execution.identify()):
        raise UserError(f"{problem}; run it again")


def mended(own: execution.Execution) -> str:
    """Compare the notes of stages that have ended with dvc.lock.

    An untrue entry is taken out of dvc.lock and the run cache; the result is kept for what it was
    made of, where params alone were edited.

    Args:
        own: the execution that asks; others that are under way are left alone.

    Returns:
        What was untrue, in a line; empty where nothing was.
    """
    notes, problems = list(_notes(own)), []
    recorded = _stages(_LOCK) if notes else {}
    for current, stage, made_of in notes:
        if found := list(_differences(made_of, recorded.get(stage, {}))):
            problems.append(f"{stage}: {found[0]} at the moment at which the stage ended")
            _forget(stage, recorded[stage])
            only_params = all(found_one.startswith(tuple(made_of["values"])) for found_one in found)
            problems[-1] += _kept(stage, made_of) if only_params else "; its record was removed"
        with execution.changed(current) as state:
            state["stages"][stage].pop(_NOTE, None)
    return "; ".join(problems)


def _notes(own: execution.Execution) -> Iterator[tuple[execution.Execution, str, dict[str, Any]]]:
    """Read the newest note of each stage in this workspace."""
    here = str(workspace.workspace().resolve())
    seen: set[str] = set()
    for current, state in reversed(list(execution.everything())):
        if state.get("workspace") != here or (current.id != own.id and execution.alive(current)):
            continue
        for stage, entry in state["stages"].items():
            if stage not in seen and isinstance(entry.get(_NOTE), dict):
                yield current, stage, entry[_NOTE]
            seen.add(stage)


def _differences(made_of: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    """Nothing where DVC has no entry: then it has recorded nothing."""
    if not entry:
        return
    for file, values in made_of["values"].items():
        before = params_file.flatten(values)
        now = params_file.flatten(json.loads(json.dumps(_values(entry, file), default=str)))
        for key in [*before, *(key for key in now if key not in before)]:
            if before.get(key, ...) != now.get(key, ...):
                old = safe_yaml.format_value(before.get(key))
                new = safe_yaml.format_value(now.get(key))
                yield f"{file}: {key} was edited from {old} to {new}"
    for dep in entry.get("deps", []):
        name = str(dep["path"])
        was = {path.rstrip("/"): seen for path, seen in made_of["files"].items()}.get(name)
        path = Path(name)
        if was not in (None, look(path)) and path.exists() and hashes.md5(path) == dep.get("md5"):
            yield f"{name} was changed"


def _values(entry: Mapping[str, Any], file: str) -> Mapping[str, Any]:
    found = entry.get("params", {})
    values = found.get(file, {}) if isinstance(found, Mapping) else {}
    return values if isinstance(values, Mapping) else {}


def _kept(stage: str, made_of: Mapping[str, Any]) -> str:
    deps: Sequence[str] = list(made_of["files"])
    reason = run_cache.keep(stage, made_of["command"], deps, made_of["values"], made_of["outs"])
    if reason:
        return f"; its record was removed, and it cannot be kept for the old value: {reason}"
    return "; it is recorded and kept for the old value, which brings it back"


def _forget(stage: str, entry: Mapping[str, Any]) -> None:
    for file in cache.run_cache().glob("*/*/*"):
        with suppress(OSError, ValueError):
            found = safe_yaml.parse_machine_written(file.read_text(encoding="utf-8"))
            if _same(found, entry):
                file.unlink()
                file.parent.rmdir()  # if it is empty: DVC takes its first file
    yaml = YAML()
    lock = yaml.load(_LOCK.read_text(encoding="utf-8"))
    lock["stages"].pop(stage, None)
    descriptor, name = tempfile.mkstemp(dir=_LOCK.parent, prefix=f".{_LOCK.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as half:
        yaml.dump(lock, half)
    Path(name).chmod(_LOCK.stat().st_mode)
    Path(name).replace(_LOCK)


def _same(one: Any, other: Mapping[str, Any]) -> bool:
    """Tell whether command, params, and the hashes of inputs and outputs are equal."""

    def told(entry: Any) -> list[Any]:
        files = [{d["path"]: d.get("md5") for d in entry.get(k, [])} for k in ("deps", "outs")]
        return [entry["cmd"], entry.get("params"), *files]

    return isinstance(one, Mapping) and "cmd" in one and told(one) == told(other)


def _stages(path: Path) -> dict[str, Any]:
    try:
        stages = safe_yaml.parse_machine_written(path.read_text(encoding="utf-8"))["stages"]
    except (OSError, ValueError, TypeError, LookupError):
        return {}
    whole = isinstance(stages, dict) and all(isinstance(spec, dict) for spec in stages.values())
    return stages if whole else {}
