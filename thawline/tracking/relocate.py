"""A project folder that was moved or copied: MLflow keeps the places of artifacts absolute."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from mlflow.utils.file_utils import local_file_uri_to_path

from thawline.runtime import workspace
from thawline.tracking import address

_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_TIMEOUT_S = 30


def follow(uri: str, location: str) -> bool:
    """Point the project's own store at the artifacts that lie beside it now.

    Without that, new artifacts would go to the old place, and `thawline gc` would delete there:
    with a copy of a project, in the original.

    Args:
        uri: of the store.
        location: where the store has it that the experiment's artifacts lie.

    Returns:
        Whether anything was changed.
    """
    here = address.artifacts()
    old = location.rstrip("/")
    if not address.is_sqlite(uri) or address.database(uri).parent != workspace.root():
        return False
    if not old.startswith("file:") or not old.endswith(f"/{here.name}") or old == here.as_uri():
        return False
    before = Path(local_file_uri_to_path(old))
    if before.is_dir() and not here.is_dir():
        return False
    _rewrite(address.database(uri), old, here.as_uri())
    print(
        f"tracking: the project was in {before.parent}; the artifacts of its runs are now looked "
        f"for in {here}",
        file=sys.stderr,
    )
    return True


def _rewrite(database: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(database, timeout=_TIMEOUT_S)) as connection, connection:
        for table, column in _PLACES:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - our names
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
            )
