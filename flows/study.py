"""`python -m flows.study NAME|FILE|all`: run a study's trials and write its report.

Light, so that a server starts before Prefect is loaded; the flow itself is in study_flow.py.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any

from flows import command
from thawline import params
from thawline.errors import UserError
from thawline.studies import definition, plan

_UNITS = {"s": 1, "m": 60, "h": 3600}


def main(words: Sequence[str] | None = None) -> int:
    """Run the flow from a shell; returns the exit code, see `command.run`."""
    parser = argparse.ArgumentParser(prog="python -m flows.study")
    parser.add_argument("name", help="of a file in studies/, a path, or all")
    parser.add_argument("--budget", help="start no trial after this time, e.g. 90s, 30m, 8h")
    parser.add_argument("--workers", type=int, default=1, help="trials side by side")
    parser.add_argument("--again", action="store_true", help="repeat trials that failed")
    parser.add_argument("--plan", action="store_true", help="list the trials and run none")
    parser.add_argument("--storage", help="of a search: a database URL; SQLite by default")
    given = parser.parse_args(words)
    try:
        budget_s = seconds(given.budget)
        if not 1 <= given.workers <= _MOST_WORKERS:
            raise UserError(f"--workers: {given.workers} is not allowed; 1 to {_MOST_WORKERS} are")
        studies = checked(given.name)
    except UserError as error:
        print(f"thawline: {error}", file=sys.stderr)
        return UserError.exit_code
    if given.plan:
        _show(studies)
        return 0
    return command.run(
        lambda: _flow(given.workers),
        paths=[str(study.path) for study in studies],
        budget_s=budget_s,
        workers=given.workers,
        again=given.again,
        storage=given.storage,
    )


_MOST_WORKERS = 256


def checked(name: str) -> list[plan.Study]:
    """All studies that a name means, before any of them runs.

    Raises:
        UserError: an unknown study, or a mistake in a file.
    """
    project = params.load()
    params.check_inputs(project)
    paths = definition.find(name)
    return [plan.study(path, definition.load(path), project) for path in paths]


def seconds(text: str | None) -> float | None:
    """Of `90s`, `30m` or `8h`.

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


def _flow(workers: int) -> Any:
    from prefect.task_runners import ThreadPoolTaskRunner

    from flows.study_flow import study

    runner: Any = ThreadPoolTaskRunner(max_workers=workers)
    return study.with_options(task_runner=runner)


if __name__ == "__main__":
    sys.exit(main())
