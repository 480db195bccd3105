"""Assemble the commands: `thawline ...`."""

import sys
from collections.abc import Callable

import typer

from thawline.cli import beginning, housekeeping, registry, results, running
from thawline.errors import UserError
from thawline.runtime import disk_errors

app = typer.Typer(
    help="Labelled images to the best convolutional classifier for a budget.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Begin": (beginning.init, beginning.check, beginning.advise, beginning.find_lr),
    "Train": (running.run, running.study, running.serve, running.log),
    "Look and use": (results.table, results.ui, results.predict, results.monitor),
    "Registry": (
        registry.publish, registry.promote, registry.rollback, registry.restore, registry.holdout,
    ),
    "Make room": (housekeeping.gc,),
}  # fmt: skip
"""Commands of `thawline --help` by heading."""

for heading, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=heading)(command)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    try:
        with disk_errors.translate_errors():
            app()
    except UserError as error:
        print(f"thawline: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
