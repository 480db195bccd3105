"""Tell whether a SQLite store is of an earlier MLflow."""

import sqlite3
from contextlib import closing
from pathlib import Path


def is_older(database: Path) -> bool:
    """Tell whether tables are missing in a store that has some.

    MLflow's client migrates such a store unasked, after which the MLflow that made it refuses it;
    where only columns differ it refuses itself (mlflow 3.17, `SqlAlchemyStore.__init__`).
    """
    if not database.is_file():
        return False
    from mlflow.store.db.utils import Base  # imports the tables of all its stores

    with closing(sqlite3.connect(database)) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    return "alembic_version" in found and not found.issuperset(Base.metadata.tables)
