"""Define the DVC pipeline as a Prefect flow: one task per stage, in DVC's order.

DVC alone decides what runs, and Prefect caches nothing: docs/decisions/0012-flows.md.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from thawline.errors import UserError
from thawline.flows import artifacts, follow, missed_runs, prefetch, run_names, server_health
from thawline.flows.dag import Dag
from thawline.runtime import workspace
from thawline.runtime.locks import BUSY

_NAMES = {"running": "Ran", "skipped": "Skipped", "restored": "Restored"}
BUSY_WAIT_S = 10.0
_BUSY_RETRIES = 3


@flow(name="pipeline", flow_run_name=run_names.dated, persist_result=False)
def pipeline(
    targets: Sequence[str] = (),
    stage_timeout_s: float | None = None,
    busy_retries: int = _BUSY_RETRIES,
) -> State[Any]:
    """Run the stages that changed, and record them in MLflow.

    Args:
        targets: names of stages; all if empty.
        stage_timeout_s: ends a stage that takes longer, and with it the run.
        busy_retries: further attempts while another DVC, or a stage that is still ending, is in the
            way.

    Returns:
        Completed; Completed `Skipped` when another run is in progress; Failed with the last lines,
        `Refused` where a stage refused a user's mistake, `TimedOut`; Cancelled by Ctrl-C.
    """
    missed_runs.skip()
    try:
        follow.check_targets(targets)
    except UserError as error:
        return Failed(name="Refused", message=str(error))
    return _run(workspace.workspace(), targets, stage_timeout_s, busy_retries)


@flow(name="pipeline", flow_run_name=run_names.dated, persist_result=False)
def pipeline_in(folder: str, stage_timeout_s: float | None = None) -> State[Any]:
    """Run the pipeline in another working tree, which flows choose and no deployment."""
    return _run(Path(folder), (), stage_timeout_s, _BUSY_RETRIES)


def _run(
    where: Path, targets: Sequence[str], stage_timeout_s: float | None, busy_retries: int
) -> State[Any]:
    for attempt in range(1, busy_retries + 2):
        run = prefetch.taken() or follow.FollowedRun(targets, where, f"flow run {flow_run.name}")
        dag = Dag(where)
        try:
            with server_health.needed():
                state = _follow(run, dag, stage_timeout_s)
        except KeyboardInterrupt:
            return Cancelled(message="ended by Ctrl-C")
        finally:
            run.end()
            dag.end()
        if not (run.busy and state.is_failed() and attempt <= busy_retries):
            break
        left = busy_retries + 1 - attempt
        get_run_logger().warning("%s; again in %g s, %d left", state.message, BUSY_WAIT_S, left)
        time.sleep(BUSY_WAIT_S)
    if state.name == "Completed":
        artifacts.results(where)
    return state


def _follow(run: follow.FollowedRun, dag: Dag, timeout_s: float | None) -> State[Any]:
    for line in run.lines():
        get_run_logger().info(line)
    states: dict[str, State[Any]] = {}
    progress = artifacts.Progress(dag.stages)
    while run.mark:
        name, status = run.mark
        needed = [states[other] for other in dag.needs(name) if other in states]
        named = stage.with_options(name=name, task_run_name=name)
        states[name] = named(
            run, name, status, progress, timeout_s, wait_for=needed, return_state=True
        )
        if not states[name].is_completed():
            break  # also where the task failed and the stage did not: it would be named for ever
        server_health.require()
    return _conclusion(run, states)


@task(cache_policy=NO_CACHE, persist_result=False)
def stage(
    run: follow.FollowedRun,
    name: str,
    status: str,
    progress: artifacts.Progress,
    timeout_s: float | None,
) -> State[Any]:
    """Follow one stage to its end; return its outcome as a state."""
    logger = get_run_logger()
    try:
        for line in run.lines(timeout_s):
            logger.info(line)
            if share := follow.epochs(line):
                progress.stage(min(share, 0.99))
    except TimeoutError:
        run.end()
        return Failed(name="TimedOut", message=f"{name}: took more than {timeout_s:g} s")
    progress.stage(1.0)
    run_id = run.run_id(name)
    if run_id:
        artifacts.link(run_id, name)
    recorded = f"MLflow run {run_id}" if run_id else None
    if status == "running" and run.code:
        return Failed(message="\n".join(filter(None, (recorded, *run.last))))
    return Completed(name=_NAMES[status], message=recorded)


def _conclusion(run: follow.FollowedRun, states: dict[str, State[Any]]) -> State[Any]:
    """Return the flow's state by `thawline run`'s exit code and its last line."""
    last = run.last[-1] if run.last else None
    if timed_out := [state for state in states.values() if state.name == "TimedOut"]:
        return Failed(name="TimedOut", message=timed_out[0].message)
    if run.code == BUSY:
        return Completed(name="Skipped", message=last)
    if run.code:
        name = "Refused" if run.code == UserError.exit_code else "Failed"
        return Failed(name=name, message=last or f"exit code {run.code}")
    if broken := [state for state in states.values() if not state.is_completed()]:
        return Failed(message=broken[0].message)
    outcomes = [state.name for state in states.values()]
    counts = ", ".join(f"{outcomes.count(n)} {n.lower()}" for n in _NAMES.values() if n in outcomes)
    parent = run.run_id()
    return Completed(message=f"{counts}; MLflow run {parent}" if parent else counts)
