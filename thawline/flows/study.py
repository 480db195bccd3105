"""Run the trials of studies and write their reports: `... thawline.flows.study NAME|FILE|all`.

Light, so that a server starts before Prefect is loaded; the flow itself is in study_flow.py.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from thawline.errors import UserError
from thawline.flows import command, environment, private, runners
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.studies import definition, plan
from thawline.studies.changes import Changes
from thawline.tracking import address

_OWN_STORAGE = "sqlite:///.thawline/studies/optuna.db"
_UNITS = {"s": 1, "m": 60, "h": 3600}


def main(words: Sequence[str] | None = None) -> int:
    """Run the flow from a shell; return the exit code, see `command.run`."""
    parser = argparse.ArgumentParser(prog="python -m thawline.flows.study")
    parser.add_argument("names", nargs="+", help="names of files in studies/, paths, or all")
    parser.add_argument("--budget", help="start no trial after this time, e.g. 90s, 30m, 8h")
    parser.add_argument("--workers", type=int, help="trials side by side; 1 by default")
    parser.add_argument("--runner", choices=("threads", "dask"), default="threads")
    parser.add_argument("--address", help="Dask scheduler whose workers run the trials")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE, in all trials")
    parser.add_argument("--seeds", type=int, help="number of seeds to run of each study")
    parser.add_argument("--again", action="store_true", help="repeat trials that failed")
    parser.add_argument("--plan", action="store_true", help="list the trials and run none")
    parser.add_argument("--storage", help="database URL of a search; SQLite by default")
    given = parser.parse_args(words)
    try:
        budget_s = seconds(given.budget)
        _check_workers(given)
        project = params_file.load()
        changes = Changes.parse(given.set, given.seeds, project)
        studies = checked(given.names, changes, project)
        if given.plan:
            _show(studies)
            return 0
    except BrokenPipeError:  # `--plan | head`: whoever read it had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UserError as error:
        print(f"thawline: {error}", file=sys.stderr)
        return UserError.exit_code
    private.keep(private.STORAGE, given.storage)
    with ExitStack() as stack:
        return command.run(
            lambda: _flow(stack.enter_context(_crew(given, studies))),
            paths=[str(study.path) for study in studies],
            budget_s=budget_s,
            again=given.again,
            changes=changes,
        )


_MOST_WORKERS = 256


def _check_workers(given: argparse.Namespace) -> None:
    if given.workers is not None and not 1 <= given.workers <= _MOST_WORKERS:
        raise UserError(f"--workers: {given.workers} is not allowed; 1 to {_MOST_WORKERS} are")
    if given.address is not None and given.workers is not None:
        raise UserError("--workers: not with --address, whose workers are all there are")


def _crew(
    given: argparse.Namespace, studies: Sequence[plan.Study]
) -> AbstractContextManager[runners.Crew]:
    if given.address is None:
        start = runners.dask if given.runner == "dask" else runners.threads
        return start(given.workers or 1)
    stores = {environment.API: os.environ[environment.API]}
    if address.enabled(params_file.load().tracking.enabled):
        stores["MLFLOW_TRACKING_URI"] = address.uri()
    if any(study.definition.search for study in studies):
        stores["--storage"] = private.kept(private.STORAGE) or _OWN_STORAGE
    return runners.connected(given.address, stores)


def checked(names: Sequence[str], changes: Changes, project: Params) -> list[plan.Study]:
    """Read all studies that the names mean, each once, before any of them runs.

    Raises:
        UserError: an unknown study, or a mistake in a file.
    """
    params_file.check_inputs(project)
    paths = list(dict.fromkeys(path for name in names for path in definition.find(name)))
    return [changes.planned(path, project) for path in paths]


def seconds(text: str | None) -> float | None:
    """Parse a time such as `90s`, `30m` or `8h` to seconds; None stays None.

    Raises:
        UserError: anything else.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smh])", text)
    if found is None or float(found[1]) == 0:
        raise UserError(f"--budget: {text!r} is not allowed; e.g. 90s, 30m, 8h")
    return float(found[1]) * _UNITS[found[2]]


def _show(studies: Sequence[plan.Study]) -> None:
    for study in studies:
        search, seeds = study.definition.search, len(study.definition.seeds)
        if search is not None:
            print(f"{study.name}: a search of {search.trials} trials")
            continue
        number = len(study.contenders)
        print(f"{study.name}: {number} contenders x {seeds} seeds = {number * seeds} trials")
        for contender in study.contenders:
            print(f"  {contender.label}")
    sys.stdout.flush()


def _flow(found: runners.Crew) -> Callable[..., Any]:
    from thawline.flows.study_flow import study

    return partial(study.with_options(task_runner=found.runner()), cores=found.cores)


if __name__ == "__main__":
    command.leave(main())
