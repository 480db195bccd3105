"""params.yaml with what the command line of a benchmark says."""

import argparse
from collections.abc import Sequence

from thawline.errors import UserError
from thawline.params import params_file as parameters
from thawline.params.schema.whole import Params
from thawline.studies.changes import Changes
from thawline.studies.plan import checked


def argument() -> argparse.ArgumentParser:
    """A parent parser with --set."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="of params.yaml"
    )
    return parser


def changed(words: Sequence[str]) -> Params:
    """Args:
    words: KEY=VALUE each.

    Raises:
        SystemExit: with the line that `thawline` would say.
    """
    try:
        project = parameters.load()
        values = Changes.parse(list(words), None, project).values
        return checked(parameters.FILE, project, values, "--set")
    except UserError as error:
        raise SystemExit(str(error)) from None
