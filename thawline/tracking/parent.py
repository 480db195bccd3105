"""Runs as they are opened: the parent by the first stage that executes, one for each stage."""

import os
import subprocess
from collections.abc import Mapping
from typing import Any

from thawline.dvc import hashes
from thawline.runtime import execution, locks, workspace
from thawline.tracking.recorder import log_params, set_tags
from thawline.tracking.store import PARENT, ROLE, SOURCE_TYPE, STAGE, Store

STUDY = "THAWLINE_STUDY_RUN"
"""Names the run of the study whose trial this execution is."""
TRIAL_TAG = "thawline.trial"
"""With the trial's key: one that was ended and begins again goes on in the run that it had."""
_GENERATED = (":!dvc.lock", ":!reports")


def ensure(
    store: Store, current: execution.Execution, params: Mapping[str, Any], start_ms: int
) -> str:
    """Return the id of the execution's parent run, made if this is the first to ask."""
    with execution.changed(current) as state:
        if not store.exists(state["parent_run_id"]):
            state["parent_run_id"] = _create(store, current, params, start_ms)
            state["experiment"] = params["tracking.experiment"]
        return str(state["parent_run_id"])


def begin(store: Store, start: Mapping[str, Any]) -> dict[str, Any]:
    """Open the run that a journal is about, under the execution's parent.

    Args:
        store: the open store.
        start: see `closing.start`; without a stage the parent alone is opened.

    Returns:
        The journal's header.
    """
    current, stage = execution.Execution(**start["execution"]), start["stage"]
    parent = ensure(store, current, start["params"], start["t"])
    run_id = _begin_stage(store, start, parent) if stage else None
    if run_id:
        with execution.changed(current) as state:
            state["stages"].setdefault(stage, {})["run_id"] = state["newest"] = run_id
            state["recorder"] = vars(execution.of_this_process())
    return header(run_id, parent, current, start["experiment"], stage)


def header(
    run_id: str | None, parent: str, current: execution.Execution, experiment: str, stage: str = ""
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "parent_run_id": parent,
        "stage": stage,
        "experiment": experiment,
        "execution": current.id,
    }


def _begin_stage(store: Store, start: Mapping[str, Any], parent: str) -> str:
    """Make the nested run of a stage, with its section's params."""
    stage = start["stage"]
    tags = {PARENT: parent, ROLE: "stage", STAGE: stage, SOURCE_TYPE: "LOCAL"}
    run = store.client.create_run(store.experiment_id, start["t"], tags, run_name=stage)
    section = {k: v for k, v in start["params"].items() if k.startswith(f"{stage}.")}
    log_params(store, run.info.run_id, section)
    return str(run.info.run_id)


def _create(
    store: Store, current: execution.Execution, params: Mapping[str, Any], start_ms: int
) -> str:
    tags = _origin() | {ROLE: "pipeline", "thawline.execution": current.id}
    tags["mlflow.source.name"] = "thawline run" if current.launched else "dvc"
    if owner := os.environ.get(locks.OWNER_VARIABLE):
        tags["thawline.owner"] = owner  # from a run of MLflow's to the flow run that made it
    if study := os.environ.get(STUDY):
        tags |= {PARENT: study, ROLE: "trial"} | _trial()
        if _trial() and (begun := store.newest({PARENT: study, **_trial()})):
            set_tags(store, begun.info.run_id, tags)
            store.client.update_run(begun.info.run_id, "RUNNING")
            return str(begun.info.run_id)
    run = store.client.create_run(store.experiment_id, start_ms, tags, run_name=_name(tags))
    log_params(store, run.info.run_id, dict(params))
    return str(run.info.run_id)


def _trial() -> dict[str, str]:
    key = os.environ.get(execution.TRIAL)
    return {TRIAL_TAG: key} if key else {}


def _origin() -> dict[str, str]:
    """Tags that say which code this is: commit, branch, dirty, DVC's experiment and baseline."""
    tags = {SOURCE_TYPE: "LOCAL"}
    commit, branch = _git("rev-parse", "HEAD"), _branch()
    if commit:
        made = [f":!{path}" for path in hashes.Graph(workspace.workspace()).uncached()]
        paths = (".", *_GENERATED, *made)
        changes = _git("status", "--porcelain", "--untracked-files=no", "--", *paths)
        tags |= {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}
        tags["mlflow.source.git.commit"] = commit
    if branch:
        tags["git.branch"] = branch
    for variable, tag in (
        ("DVC_EXP_NAME", "dvc.experiment"),
        ("DVC_EXP_BASELINE_REV", "dvc.baseline"),
    ):
        if value := os.environ.get(variable):
            tags[tag] = value
    return tags


def _branch() -> str:
    """Name the branch; that of the project where a retraining's working tree is on none."""
    show = ("branch", "--show-current")
    return _git(*show) or _git("-C", str(workspace.root()), *show)


def _name(tags: Mapping[str, str]) -> str:
    commit = tags.get("git.commit", "no commit")[:9]
    return tags.get("dvc.experiment") or f"{tags.get('git.branch', 'detached')}@{commit}"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], capture_output=True, text=True, timeout=20, cwd=workspace.workspace()
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
