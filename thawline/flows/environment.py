"""Set Prefect's settings for a project, before Prefect is imported and reads them."""

import os

from thawline.errors import UserError
from thawline.runtime import workspace

API = "PREFECT_API_URL"


def prepare() -> None:
    """Set Prefect offline and quiet, with its database in the project.

    Variables that are set already stay as they are.

    Raises:
        UserError: the project's scratch folder cannot be created.
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
    """Return True where PREFECT_API_URL names a server."""
    return bool(os.environ.get(API))
