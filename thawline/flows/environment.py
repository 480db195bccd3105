"""Prefect's settings for a project. Prefect reads them when imported."""

import os

from thawline.errors import UserError
from thawline.runtime import workspace

API = "PREFECT_API_URL"


def prepare() -> None:
    """Offline and quiet, with the database in the project; what is set already stays as it is.

    Raises:
        UserError: the project's scratch folder cannot be made.
    """
    try:
        workspace.scratch().mkdir(parents=True, exist_ok=True)  # prefect makes the last part only
    except OSError as error:
        raise UserError(f"{workspace.scratch()}: cannot be made: {error.strerror}") from None
    defaults = {
        "PREFECT_HOME": str(workspace.scratch() / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLI_PROMPT": "false",
        "NO_PROXY": "127.0.0.1,localhost",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def server_is_named() -> bool:
    """Whether PREFECT_API_URL says which server to use."""
    return bool(os.environ.get(API))
