"""The files that come with the package: what a project of one's own begins with."""

import importlib.metadata
from pathlib import Path

from thawline.errors import UserError

PACKAGE = Path(__file__).resolve().parents[1]
_NAME = "thawline"
_PLACE = ("share", _NAME, "dvc.yaml")


def folder() -> Path:
    """Return where they are: the checkout, or where pip put the wheel's `share/thawline`.

    Raises:
        UserError: the installation lacks them.
    """
    if (PACKAGE.parent / "pyproject.toml").is_file():
        return PACKAGE.parent
    for file in importlib.metadata.files(_NAME) or []:
        if file.parts[-3:] == _PLACE and (found := Path(str(file.locate()))).is_file():
            return found.resolve().parent
    raise UserError(f"{PACKAGE}: share/{_NAME} of the package is not there; install it again")


def stages() -> Path:
    """Return the folder of the stages' scripts: in the package, in a checkout beside it."""
    inside = PACKAGE / "stages"
    return inside if inside.is_dir() else PACKAGE.parent / "stages"


def version() -> str:
    """Return the version of the installed package."""
    return importlib.metadata.version(_NAME)
