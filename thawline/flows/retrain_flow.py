"""Define retraining as a Prefect flow: the project changes only if all went well.

Each step may be repeated, and bringing the results in is the last: a night that failed at any of
them is made up for by the next, which finds finished stages in DVC's cache. What a version was made
of is pushed before it can become the champion, so that a champion can be restored anywhere.
"""

from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from thawline.errors import UserError
from thawline.flows import (
    artifacts,
    missed_runs,
    notify,
    processes,
    repository,
    run_names,
    server_health,
)
from thawline.flows.pipeline_flow import pipeline_in
from thawline.flows.processes import CommandError
from thawline.flows.worktree import WorkTree
from thawline.runtime import locks, workspace

NOTHING = "nothing to do"
_NETWORK: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [10, 60],
    "retry_condition_fn": lambda _task, _run, state: (
        not isinstance(state.result(raise_on_failure=False), UserError)
    ),
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


@flow(name="retrain", flow_run_name=run_names.dated, persist_result=False, **notify.HOOKS)
def retrain(
    commit_to: str | None = None,
    stage_timeout_s: float | None = None,
) -> State[Any]:
    """Retrain on what has changed: data, code or params, here or upstream.

    Args:
        commit_to: branch on which to record what was trained; none by default.
        stage_timeout_s: ends a stage that takes longer, and with it the run.

    Returns:
        Completed; Completed `Nothing to do` or `Skipped`; Failed, or `Refused` for what a person
        must mend, with the project as it was.
    """
    missed_runs.skip()
    root = workspace.root()
    try:
        owner = f"flow run {flow_run.name}"
        with server_health.needed(), locks.pipeline(kind="retrain", owner=owner):
            return _retrain(root, commit_to, stage_timeout_s)
    except locks.BusyError as busy:
        return Completed(name="Skipped", message=f"skipped: {busy}")
    except UserError as error:
        return Failed(name="Refused", message=str(error))
    except CommandError as error:
        return Failed(message=str(error))


def _retrain(root: Path, commit_to: str | None, timeout_s: float | None) -> State[Any]:
    repository.check(root)
    if commit_to is not None:
        repository.check_branch(root, commit_to)
    commit = pull(root)
    tree = WorkTree(root, commit)
    if not tree.is_behind and not look(root, "the project"):
        return Completed(name="Nothing to do", message=NOTHING)
    with tree.made() as folder:
        if not look(folder, "the working tree"):
            tree.swap()
            return Completed(message="brought in newer commits, which change no result")
        ran = pipeline_in(str(folder), timeout_s, return_state=True)
        if not ran.is_completed() or ran.name == "Skipped":
            return ran
        push(folder, commit_to)
        published = publish(folder)
        tree.swap()
    return Completed(message=f"{published}; {ran.message}")


@task(task_run_name="pull", **_NETWORK)
def pull(root: Path) -> str:
    """Fetch newer commits; return the one to train on."""
    return repository.fetched(root)


@task(task_run_name="look at {what}", cache_policy=NO_CACHE, persist_result=False)
def look(folder: Path, what: str) -> bool:  # noqa: ARG001
    """Return True where data, code or params differ from those of the results."""
    changed = repository.changed(folder)
    get_run_logger().info("DVC: %s", "something has changed" if changed else NOTHING)
    return changed


@task(task_run_name="push", **_NETWORK)
def push(folder: Path, commit_to: str | None) -> None:
    """Push the results to DVC's remote, and to a branch what was trained, where there are such."""
    if repository.has_remote(folder):
        repository.dvc(folder, "push", "--run-cache")
    if commit_to:
        made = repository.commit(folder, commit_to, "Retrain")
        get_run_logger().info("%s is %s", commit_to, made)
        if remote := repository.remote(folder):
            repository.push(folder, remote, commit_to)


@task(task_run_name="publish", **_NETWORK)
def publish(folder: Path) -> str:
    """Run `thawline publish`, which registers a model once; return its headline."""
    env = {workspace.VARIABLE: str(workspace.root())}
    lines = processes.output(processes.python("thawline.cli", "publish"), folder, env)
    for line in lines:
        get_run_logger().info(line)
    artifacts.verdict(lines)
    return next((line for line in lines if line.startswith("model ")), lines[-1])
