"""`thawline ...`: the commands around the pipeline."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thawline import disk, libraries, plugins
from thawline import params as parameters
from thawline.errors import UserError

if TYPE_CHECKING:
    from thawline.tracking.promotions import Move

app = typer.Typer(
    help="Labelled images to the best convolutional classifier for a budget.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def check() -> None:
    """Validate params.yaml, and the policy file where it names one."""
    checked = parameters.load()
    parameters.check_inputs(checked)
    policy, file = checked.augment.policy, Path(checked.augment.file)
    if "file" in plugins.input_names(plugins.POLICY, policy):
        plugins.load(plugins.POLICY, policy).policy(checked.ingest.image_size_px, file=file)
    for line in libraries.others():
        print(f"warning: {line}", file=sys.stderr)
    print("params.yaml: fine")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Empty, or not there yet.")] = Path(),
    source: Annotated[str | None, typer.Option(help="Of the images, e.g. folder.")] = None,
    path: Annotated[Path | None, typer.Option(help="Where they are.")] = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Take over the installed version of the package.")
    ] = False,
) -> None:
    """Begin a project of your own in a folder, or bring one up to the installed version."""
    from thawline.projects import command

    if upgrade:
        command.upgrade(folder, source, path)
    else:
        command.create(folder, source, path)


@app.command()
def run(
    targets: Annotated[list[str] | None, typer.Argument(help="Stages; all by default.")] = None,
) -> None:
    """Reproduce the pipeline and record it as one MLflow run."""
    from thawline import pipeline

    code = pipeline.run(targets or [])
    if code:
        raise typer.Exit(code)


@app.command()
def log() -> None:
    """Send to MLflow what could not be sent, and record a run that DVC restored."""
    from thawline.tracking.log import log_pending

    raise typer.Exit(log_pending())


@app.command()
def publish() -> None:
    """Register the final model in MLflow, once per model; the gate decides on the champion."""
    from thawline.tracking.publish import publish as register

    done = register()
    if done is None:
        print("tracking is switched off: nothing published")
        return
    state = "registered as" if done.new else "is registered already as"
    print(f"model {state} {done.name} version {done.version}: {done.verdict.outcome}")
    for reason in done.verdict.reasons:
        print(f"  {reason}")


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Its number, or an alias.")],
    reason: Annotated[str, typer.Option(help="For the log of promotions.")] = "",
) -> None:
    """Make a registered version the champion by hand."""
    from thawline.tracking import promotions

    _say(promotions.promote(version, reason))


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="For the log of promotions.")] = "",
) -> None:
    """Make the champion's predecessor the champion; a second time undoes the first."""
    from thawline.tracking import promotions

    _say(promotions.rollback(reason))


@app.command()
def restore(
    version: Annotated[str, typer.Argument(help="Its number, or an alias.")],
) -> None:
    """Bring a registered version's commit, params and outputs into this folder."""
    from thawline.tracking.restore import restore as bring

    done = bring(version)
    print(f"version {done.version}: commit {done.commit[:9]}, its params and outputs are here")
    if done.dirty:
        print("  it was made with edits that were not committed; of those only params.yaml is here")
    if done.branch:
        print(f"  back: git checkout --force {done.branch} && dvc checkout")


@app.command()
def holdout(
    refresh: Annotated[bool, typer.Option("--refresh", help="Draw a new test set.")] = False,
) -> None:
    """Say how worn the test set is; draw a new one from images that no model has seen."""
    from thawline.tracking import holdout as drawing

    if refresh:
        print(f"data/holdout.csv: {drawing.refresh():,} images are the test set from now on")
        print("  the old ones train: commit the file, then `thawline run` and `thawline publish`")
        return
    state = drawing.look()
    print(f"{state.num_test:,} test images; the gate has scored {state.looks:,} models on them")
    print(f"{state.num_fresh:,} images here that no model has seen")


def _say(move: "Move") -> None:
    print(f"{move.name}: version {move.version} is the champion, before it {move.before or 'none'}")


@app.command()
def advise(
    write: Annotated[bool, typer.Option(help="Put the proposals into params.yaml.")] = False,
) -> None:
    """Look at the data set and the budget, and propose values for params.yaml."""
    from thawline.advice import readiness

    readiness.require_data_set()
    from thawline.advice import gathering, proposing, show, writing

    found = gathering.gather(parameters.load())
    proposals = proposing.propose(found)
    show.show(found, proposals)
    if write and proposals:
        writing.write(proposals)
        print(f"params.yaml: {len(proposals)} values set; `git diff params.yaml` shows them")


@app.command("find-lr")
def find_lr(
    stage: Annotated[str, typer.Option(help="transfer_learn or fine_tune.")] = "fine_tune",
) -> None:
    """Try learning rates from low to high on a stage's own network and data."""
    from thawline.training.find_lr import find

    curve, picture = find(stage, parameters.load())
    print(f"{stage}.learning_rate: {curve.suggestion:g}  (see {picture})")


@app.command()
def table() -> None:
    """Show accuracy, macro-F1, latency and size of every checkpoint, and what the gate said."""
    from thawline.evaluation.summary import show
    from thawline.tracking.outcome import Outcome

    show()
    published = Outcome.read()
    for line in published.lines() if published else []:
        print(line)


@app.command()
def predict(
    paths: Annotated[list[str], typer.Argument(help="Files, folders; - reads paths from stdin.")],
    model: Annotated[
        str | None, typer.Option(help="champion, a version, or a folder; models/compress.")
    ] = None,
    top_k: Annotated[int, typer.Option(help="Classes per file.", min=1)] = 1,
    json: Annotated[bool, typer.Option("--json", help="A JSON object per line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
) -> None:
    """Say what is on image files; bad ones are skipped, and the exit code is 1."""
    from thawline.prediction import command

    if json and csv:
        raise UserError("--json and --csv: one of them at a time")
    form = "json" if json else "csv" if csv else "table"
    if not command.run(paths, model, top_k=top_k, form=form):
        raise typer.Exit(1)


@app.command()
def monitor(
    paths: Annotated[list[str], typer.Argument(help="Files, folders; - reads paths from stdin.")],
    model: Annotated[
        str | None, typer.Option(help="champion, a version, or a folder; models/compress.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Chance of a false alarm.", min=0.005, max=0.5)
    ] = 0.01,
    output: Annotated[Path | None, typer.Option(help="Write the report there.")] = None,
) -> None:
    """Compare new images with the validation images; exit code 1 when they have drifted."""
    from thawline.monitoring import command

    if command.run(paths, model, alpha=alpha, output=output):
        raise typer.Exit(1)


@app.command()
def serve(
    cron: Annotated[str | None, typer.Option(help='When, e.g. "0 3 * * *".')] = None,
    interval: Annotated[str | None, typer.Option(help="Seconds from start to start.")] = None,
    flow: Annotated[str, typer.Option(help="retrain or pipeline.")] = "retrain",
    commit_to: Annotated[str | None, typer.Option(help="Branch to record trainings on.")] = None,
    notify: Annotated[str | None, typer.Option(help="Webhook, or a block of Prefect's.")] = None,
) -> None:
    """Run a flow on a schedule, until Ctrl-C."""
    given = {"cron": cron, "interval": interval, "flow": flow}
    given |= {"commit-to": commit_to, "notify": notify}
    words = [f"--{name}={value}" for name, value in given.items() if value is not None]
    os.execv(sys.executable, [sys.executable, "-m", "flows.serve", *words])


@app.command()
def study(
    names: Annotated[list[str], typer.Argument(help="Of files in studies/, paths, or all.")],
    budget: Annotated[str | None, typer.Option(help="Start no trial later, e.g. 30m.")] = None,
    workers: Annotated[int | None, typer.Option(help="Trials side by side.")] = None,
    runner: Annotated[str, typer.Option(help="threads or dask.")] = "threads",
    address: Annotated[str | None, typer.Option(help="Of a Dask scheduler with workers.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of params.yaml, in all trials.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Only the first so many of each.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat trials that failed.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="List the trials, run none.")] = False,
    storage: Annotated[str | None, typer.Option(help="Of a search: a database URL.")] = None,
) -> None:
    """Compare designs on your data as studies' files say, and write the report."""
    words = [*names, f"--runner={runner}", *["--again"] * again, *["--plan"] * plan]
    words += [f"--set={value}" for value in values or ()]
    given = {"budget": budget, "storage": storage, "workers": workers, "address": address}
    given["seeds"] = seeds
    words += [f"--{key}={value}" for key, value in given.items() if value is not None]
    os.execv(sys.executable, [sys.executable, "-m", "flows.study", *words])


@app.command()
def gc(
    older_than: Annotated[float, typer.Option(help="Days since its last use.", min=0)] = 30,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; else only say what.")] = False,
) -> None:
    """Remove old experiments, runs, cached files and scratch that nothing registered needs."""
    from thawline.housekeeping import command

    command.run(older_than, sure=yes)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on loopback.", min=1, max=65535)] = 5000,
) -> None:
    """Serve MLflow's pages on loopback."""
    from thawline.tracking import server

    raise typer.Exit(server.ui(port))


def main() -> None:
    """Entry point: a user's mistake is one line on stderr and exit code 2."""
    try:
        with disk.named():
            app()
    except UserError as error:
        print(f"thawline: {error}", file=sys.stderr)
        sys.exit(UserError.exit_code)


if __name__ == "__main__":
    main()
