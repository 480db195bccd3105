"""Where runs are stored, as an address that also holds in DVC's temporary workspaces."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from thawline.runtime import workspace

SWITCH = "THAWLINE_TRACKING"
HOW_TO_SWITCH_OFF = f"tracking.enabled: false in params.yaml or {SWITCH}=off runs without tracking"
_SQLITE = re.compile(r"^(sqlite(?:\+\w+)?):///(.*)$", re.DOTALL)


def enabled(setting: bool) -> bool:
    """Tell whether tracking is on: the params value, unless the environment switches it off."""
    return setting and os.environ.get(SWITCH, "on").lower() not in ("off", "0", "false", "no")


def uri() -> str:
    """MLFLOW_TRACKING_URI if set, else a SQLite file in the project root, always absolute.

    A relative SQLite path is taken from the project root: from the copy in which
    `dvc exp run --temp` works it would name a store that is deleted with the copy.
    """
    named = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not named:
        return f"sqlite:///{workspace.root() / 'mlflow.db'}"
    match = _SQLITE.match(named)
    if match and match[2] and not match[2].startswith(("/", ":memory:")):
        return f"{match[1]}:///{workspace.root() / match[2]}"
    return named


def artifacts() -> Path:
    """Folder of the artifacts of a store without a server."""
    return workspace.root() / "mlartifacts"


def is_server(address: str) -> bool:
    return urlsplit(address).scheme in ("http", "https")


def is_sqlite(address: str) -> bool:
    return _SQLITE.match(address) is not None


def database(address: str) -> Path:
    """Return the file of a SQLite store."""
    match = _SQLITE.match(address)
    assert match is not None
    return Path(match[2])


def shown(address: str) -> str:
    """Show an address without user, password and query, fit for a message."""
    if is_sqlite(address):
        return address
    parts = urlsplit(address)
    if not parts.netloc:
        return address
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
