"""Define the commands that train: once, on a schedule, as a study."""

import os
import sys
from typing import Annotated

import typer


def run(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages; all by default.")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time it may take; becomes budget.max_minutes.")
    ] = None,
) -> None:
    """Reproduce the pipeline and record it as one MLflow run."""
    from thawline.pipeline.run import run as run_pipeline

    code = run_pipeline(targets or [], minutes=minutes)
    if code:
        raise typer.Exit(code)


def serve(
    cron: Annotated[str | None, typer.Option(help='When, e.g. "0 3 * * *".')] = None,
    timezone: Annotated[
        str | None, typer.Option(help="For --cron, e.g. Europe/Berlin; default: this machine's.")
    ] = None,
    interval: Annotated[str | None, typer.Option(help="Seconds from start to start.")] = None,
    flow: Annotated[str, typer.Option(help="retrain or pipeline.")] = "retrain",
    commit_to: Annotated[str | None, typer.Option(help="Branch to record trainings on.")] = None,
    notify: Annotated[str | None, typer.Option(help="Webhook, or a block of Prefect's.")] = None,
) -> None:
    """Run a flow on a schedule, until Ctrl-C."""
    given = {"cron": cron, "timezone": timezone, "interval": interval, "flow": flow}
    given |= {"commit-to": commit_to, "notify": notify}
    words = [f"--{name}={value}" for name, value in given.items() if value is not None]
    os.execv(sys.executable, [sys.executable, "-m", "thawline.flows.serve", *words])


def study(
    names: Annotated[list[str], typer.Argument(help="Names of files in studies/, paths, or all.")],
    budget: Annotated[str | None, typer.Option(help="Start no trial later, e.g. 30m.")] = None,
    workers: Annotated[int | None, typer.Option(help="Trials side by side.")] = None,
    runner: Annotated[str, typer.Option(help="threads or dask.")] = "threads",
    address: Annotated[str | None, typer.Option(help="Dask scheduler with workers.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of params.yaml, in all trials.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds to run of each.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat trials that failed.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="List the trials, run none.")] = False,
    storage: Annotated[str | None, typer.Option(help="Database URL of a search.")] = None,
) -> None:
    """Compare designs on your data as studies' files say, and write the report."""
    words = [*names, f"--runner={runner}", *["--again"] * again, *["--plan"] * plan]
    words += [f"--set={value}" for value in values or ()]
    given = {"budget": budget, "storage": storage, "workers": workers, "address": address}
    given["seeds"] = seeds
    words += [f"--{key}={value}" for key, value in given.items() if value is not None]
    os.execv(sys.executable, [sys.executable, "-m", "thawline.flows.study", *words])


def log() -> None:
    """Send to MLflow what could not be sent, and record a run that DVC restored."""
    from thawline.tracking.log import log_pending

    raise typer.Exit(log_pending())
