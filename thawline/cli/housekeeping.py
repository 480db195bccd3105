"""Define the commands that free disk space."""

from typing import Annotated

import typer


def gc(
    older_than: Annotated[float, typer.Option(help="Days since its last use.", min=0)] = 30,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; else only list it.")] = False,
) -> None:
    """Remove old experiments, runs, cached files and scratch that nothing registered needs."""
    from thawline.project.gc import command

    command.run(older_than, sure=yes)
