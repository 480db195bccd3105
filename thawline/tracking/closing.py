"""First and last events of journals: a parent run's end with its metrics, report and fates."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from thawline.dvc import hashes
from thawline.dvc.hashes import Graph
from thawline.runtime import execution, safe_json, workspace
from thawline.tracking.journal import Journal

LAST_STAGE = "evaluate"
_FINAL_METRICS = ("metrics.json", "speed.json")
_NOT_SHOWN = (".parquet", ".json")
_RAN = {"finished": "ran", "failed": "failed", "killed": "killed", "running": "killed"}
DEVICE, FINGERPRINT = "device.name", "device.fingerprint"
"""Tags of a parent run: latencies compare only where the fingerprint is the same."""
UNKNOWN = "skipped or restored"
"""Under bare `dvc repro` nobody sees which of the two it was."""
NOT_REACHED = "not reached"


def start(
    stage: str, params: Mapping[str, Any], current: execution.Execution, t: int
) -> dict[str, Any]:
    """Build the first event of a journal: all that is needed to open its run.

    Args:
        stage: empty for a journal about the execution alone.
        params: all of params.yaml under dotted names.
        current: the execution.
        t: ms since the epoch.
    """
    return {
        "event": "start",
        "t": t,
        "stage": stage,
        "experiment": params["tracking.experiment"],
        "params": dict(params),
        "execution": vars(current),
        "writer": vars(execution.of_this_process()),
    }


def last_events(
    current: execution.Execution,
    stage: str,
    status: str,
    message: str,
    duration_s: float,
    outs: Sequence[str] = (),
    exit_code: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Build a stage's end, and the execution's where nobody else closes it; note the stage's state.

    Args:
        current: the execution.
        stage: name in dvc.yaml.
        status: FINISHED, FAILED or KILLED.
        message: one line for a status other than FINISHED.
        duration_s: from the stage's start.
        outs: paths that the stage has made.
        exit_code: None where the stage itself said nothing.
    """
    made = hashes.present(list(outs)) if status == "FINISHED" else {}
    said = {} if exit_code is None else {"message": message, "exit_code": exit_code}
    execution.note(current, stage, status=status.lower(), outs=made, **said)
    now = int(time.time() * 1000)
    end = {"event": "end", "t": now, "status": status, "message": message, "outs": made}
    yield {**end, "duration_s": duration_s}
    state = execution.read(current.id)
    last = status != "FINISHED" or stage == LAST_STAGE
    if state and last and not current.launched:
        close = event(state, status, f"{stage}: {message}" if message else "")
        yield close
        settle(current, close)


def killed(start: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Build the last events of a stage that could not say any more; `start` is its first."""
    current = execution.Execution(**start["execution"])
    message = "the stage's process ended without a word (killed)"
    duration_s = time.time() - start["t"] / 1000
    return last_events(current, start["stage"], "KILLED", message, duration_s)


def journal(
    current: execution.Execution, event: dict[str, Any], params: Mapping[str, Any], t: int
) -> Journal:
    """Write the end of an execution down, as `event` gives it; see `start`."""
    written = Journal.create(start("", params, current, t))
    written.append(event)
    settle(current, event, written)
    return written


def settle(
    current: execution.Execution, event: Mapping[str, Any], end: Journal | None = None
) -> None:
    """Note locally that the execution's parent is closed.

    Args:
        current: the execution.
        event: its `close` event.
        end: its end, for whoever has recorded the last stage.
    """
    with execution.changed(current) as state:
        state["closed"] = True
        if end is not None:
            state["end"] = str(end.folder)
    remember(event["digest"])


def event(
    state: execution.State,
    status: str,
    message: str = "",
    observed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Make the `close` event of an execution from the workspace (the current folder).

    Args:
        state: the execution's state; its stages are those whose own process said what it did.
        status: FINISHED, FAILED or KILLED.
        message: one line for a status other than FINISHED.
        observed: stage -> skipped, restored, ran or not reached, as DVC printed it; without it a
            stage that is not in the state counts as skipped or restored, up to the one that failed,
            if it last ran on what the stages before it made.
    """
    graph = Graph(workspace.workspace())
    fates = _fates(graph, state, observed)
    fresh = {name: entry["outs"] for name, entry in state["stages"].items() if entry.get("outs")}
    outs = {n: fresh.get(n) or graph.recorded(n) for n, fate in fates.items() if _has_outs(fate)}
    complete = status == "FINISHED" and fates.get(LAST_STAGE, NOT_REACHED) != NOT_REACHED
    return {
        "event": "close",
        "t": int(time.time() * 1000),
        "status": status,
        "message": message,
        "fates": fates,
        "run_ids": {n: e["run_id"] for n, e in state["stages"].items() if e.get("run_id")},
        "outs": outs,
        "digest": graph.digest(fresh) if complete else None,
        "metrics": final_metrics() if complete else {},
        "tags": device_tags() if complete else {},
        "files": _report_files() if complete else [],
    }


def final_metrics() -> dict[str, float]:
    """Dotted names to numbers of the last stage, e.g. `fine_tune.accuracy`."""
    found: dict[str, float] = {}
    for name in _FINAL_METRICS:
        path = _reports() / name
        if path.is_file():
            found.update(numbers(safe_json.loads(path.read_text())))
    return found


def device_tags() -> dict[str, str]:
    """Name the hardware that the last stage timed on; empty where it timed nothing."""
    path = _reports() / "speed.json"
    device = safe_json.loads(path.read_text()).get("device", {}) if path.is_file() else {}
    named = {DEVICE: device.get("name"), FINGERPRINT: device.get("fingerprint")}
    return {tag: str(value) for tag, value in named.items() if value}


def numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers of nested mappings under dotted names; lists and NaN are left out."""
    flat: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(numbers(value, f"{prefix}{key}."))
        elif isinstance(value, int | float) and not math.isnan(value):
            flat[f"{prefix}{key}"] = float(value)
    return flat


def remember(digest: str | None) -> None:
    """Note the outputs that a closed parent stands for, so that `thawline log` sees a restored run.

    Only for the project itself: a temporary workspace is gone afterwards.
    """
    if digest and workspace.workspace().resolve() == workspace.root().resolve():
        remembered_path().parent.mkdir(parents=True, exist_ok=True)
        part = remembered_path().with_suffix(".part")
        part.write_text(digest + "\n", encoding="utf-8")
        part.replace(remembered_path())


def remembered_path() -> Path:
    return workspace.scratch() / "recorded"


def _fates(
    graph: Graph, state: execution.State, observed: Mapping[str, str] | None
) -> dict[str, str]:
    fates: dict[str, str] = {}
    passed = True
    for name in graph.stages:
        entry = state["stages"].get(name)
        if entry:
            fates[name] = _RAN[entry["status"]]
            passed = passed and fates[name] == "ran"
        elif observed is not None:
            fates[name] = observed.get(name, NOT_REACHED)
        else:
            known = passed and graph.recorded(name) and graph.current(name)
            fates[name] = UNKNOWN if known else NOT_REACHED
    return fates


def _has_outs(fate: str) -> bool:
    return fate in ("ran", "skipped", "restored", UNKNOWN)


def _reports() -> Path:
    return workspace.workspace() / "reports" / LAST_STAGE


def _report_files() -> list[list[str]]:
    """[path, folder in the run's artifacts]: the report, its figures and tables."""
    if not _reports().is_dir():
        return []
    return [[str(p), "report"] for p in sorted(_reports().iterdir()) if p.suffix not in _NOT_SHOWN]
