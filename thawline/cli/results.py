"""Define the commands that show and use results."""

from pathlib import Path
from typing import Annotated

import typer

from thawline.errors import UserError

Model = Annotated[
    str | None, typer.Option(help="champion, a version, or a folder; models/compress.")
]
Paths = Annotated[list[str], typer.Argument(help="Files, folders; - reads paths from stdin.")]


def table() -> None:
    """Show accuracy, macro-F1, latency and size of every checkpoint, and what the gate said."""
    from thawline.registry.gate_outcome import Outcome
    from thawline.report.summary import show

    show()
    published = Outcome.read()
    for line in published.lines() if published else []:
        print(line)


def ui(
    port: Annotated[int, typer.Option(help="Port on loopback.", min=1, max=65535)] = 5000,
) -> None:
    """Serve MLflow's pages on loopback."""
    from thawline.tracking import server

    raise typer.Exit(server.ui(port))


def predict(
    paths: Paths,
    model: Model = None,
    top_k: Annotated[int, typer.Option(help="Classes per file.", min=1)] = 1,
    json: Annotated[bool, typer.Option("--json", help="A JSON object per line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
) -> None:
    """Say what is on image files; bad ones are skipped, and the exit code is 1."""
    from thawline.cli import predicting

    if json and csv:
        raise UserError("--json and --csv: one of them at a time")
    form = "json" if json else "csv" if csv else "table"
    if not predicting.run(paths, model, top_k=top_k, form=form):
        raise typer.Exit(1)


def monitor(
    paths: Paths,
    model: Model = None,
    alpha: Annotated[
        float, typer.Option(help="Chance of a false alarm.", min=0.005, max=0.5)
    ] = 0.01,
    output: Annotated[Path | None, typer.Option(help="Write the report there.")] = None,
) -> None:
    """Compare new images with the validation images; exit code 1 when they have drifted."""
    from thawline.cli import monitoring

    if monitoring.run(paths, model, alpha=alpha, output=output):
        raise typer.Exit(1)
