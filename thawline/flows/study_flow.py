"""Define studies as a Prefect flow: a task per trial, then timings in turn, then the report."""

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
from thawline.flows import (
    artifacts,
    private,
    repository,
    run_names,
    search,
    server_health,
    snapshot,
    trial,
    workspaces,
)
from thawline.flows.snapshot import Snapshot
from thawline.flows.study_record import Recorded
from thawline.flows.timings import timed
from thawline.flows.trial_request import TrialRequest
from thawline.params import params_file
from thawline.pipeline.forkserver import client as forkserver
from thawline.runtime import locks, workspace
from thawline.studies import plan, report
from thawline.studies.changes import NOTHING, Changes
from thawline.studies.records import TrialRecord, code
from thawline.studies.summary import Summary, summarise
from thawline.tracking import writer

OUT = Path("build/studies")


@flow(name="study", flow_run_name=run_names.for_studies, persist_result=False)
def study(
    paths: Sequence[str],
    budget_s: float | None = None,
    cores: int = 1,
    again: bool = False,
    changes: Changes = NOTHING,
) -> State[Any]:
    """Run what is not known yet of the studies; write a report of each, and one of all.

    Args:
        paths: the studies' files.
        budget_s: no trial starts later than this after the beginning, s.
        cores: cores of each trial, which gets no more threads, so that trials do not fight.
        again: True repeats trials that failed.
        changes: changes to all the studies.

    Returns:
        Completed; Completed `Skipped` when another study is in progress; Failed, if no trial of
        them came to its end; Cancelled by Ctrl-C.
    """
    deadline = None if budget_s is None else time.time() + budget_s
    try:
        repository.check(workspace.root())
        owner = f"flow run {flow_run.name}"
        with (
            server_health.needed(),
            locks.pipeline(kind="study", owner=owner),
            forkserver.running(writer.modules(params_file.load().tracking.enabled)) as loaded,
            snapshot.taken(workspace.root()) as base,
        ):
            planned = [changes.planned(Path(path), base.params()) for path in paths]
            found = [_one(one, base, deadline, cores, again, loaded) for one in planned]
            workspaces.remove(workspace.root())
            report.write_all(OUT, found)
    except KeyboardInterrupt:
        return Cancelled(message="ended by Ctrl-C")
    except locks.BusyError as busy:
        return Completed(name="Skipped", message=f"skipped: {busy}")
    except UserError as error:
        return Failed(name="Refused", message=str(error))
    text = "\n".join(summary.line for summary in found)
    done = any(summary.complete for summary in found)
    message = f"{text}\nreport: {OUT / report.OF_ALL}"
    return Completed(message=message) if done else Failed(message=message)


def _one(
    planned: plan.Study,
    base: Snapshot,
    deadline: float | None,
    cores: int,
    again: bool,
    loaded: dict[str, str],
) -> Summary:
    checked = base.params()
    digest = code(base.folder, checked, planned.definition.until)
    recorded = Recorded(planned, digest, checked)
    try:
        env = recorded.environment | loaded
        order = {"base": base, "code": digest, "env": env, "again": again}
        threads = min(checked.training.threads, cores)
        if planned.definition.search is not None:
            records = search.run(planned, order, deadline, threads, private.kept(private.STORAGE))
        else:
            records = _grid(planned, order, deadline, threads)
        summary = summarise(planned, records)
        recorded.close(records, summary, report.write(OUT, summary))
    except BaseException:
        trial.stop()
        recorded.leave()
        raise
    artifacts.table(planned.name, report.markdown(summary))
    get_run_logger().info(summary.line)
    return summary


def _grid(
    planned: plan.Study, common: dict[str, Any], deadline: float | None, threads: int
) -> list[TrialRecord]:
    first, until = planned.definition.seeds[0], planned.definition.until
    orders = [
        TrialRequest(trial=one, until=until, keep=one.seed == first, **common)
        for one in planned.trials(threads)
    ]
    futures = []
    for order in orders:
        named = run.with_options(task_run_name=f"{order.trial.contender}, seed {order.trial.seed}")
        futures.append(named.submit(order, deadline))
    for order, future in zip(orders, futures, strict=True):
        future.wait()
        if not future.state.is_final():  # Dask gives up a trial that killed several workers
            trial.lost(order)
    known = [TrialRecord.read(order.trial.study, order.key) for order in orders]
    found = [record for record in known if record is not None]
    return timed(found, common["base"], common["env"])


@task(cache_policy=NO_CACHE, persist_result=False)
def run(order: TrialRequest, deadline: float | None) -> State[Any]:
    """Run one trial; a failure is recorded, and the study goes on."""
    if trial.spent(deadline):
        return Completed(name="Not started", message="the budget was spent")
    record = trial.run(order, get_run_logger().info)
    if record.run_id:
        artifacts.link(record.run_id, order.name)
    if record.state == "failed":
        return Failed(message=record.message)
    return Completed(message=order.name)
