"""The artifacts of a project that was renamed or copied are those beside its store."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from thawline.tracking import relocate

TABLES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The tables of a store that hold places, in a project with artifacts."""
    folder = tmp_path / "an old place"
    (folder / "mlartifacts").mkdir(parents=True)
    place = (folder / "mlartifacts").as_uri()
    with closing(sqlite3.connect(folder / "mlflow.db")) as store, store:
        for table, columns in TABLES.items():
            store.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            for value in (place, f"{place}/1/a", f"{place}2/1", "models:/m-1", None):
                values = (value,) * len(columns)
                store.execute(
                    f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", values
                )
    return folder


def places(folder: Path) -> Iterator[list[str | None]]:
    with closing(sqlite3.connect(folder / "mlflow.db")) as store:
        for table, columns in TABLES.items():
            for column in columns:
                yield [row[0] for row in store.execute(f"SELECT {column} FROM {table}")]


def follow(folder: Path, monkeypatch: pytest.MonkeyPatch, location: str) -> bool:
    monkeypatch.setenv("THAWLINE_PROJECT", str(folder))
    return relocate.follow(f"sqlite:///{folder / 'mlflow.db'}", location)


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_the_store_follows(old: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new, location = old.with_name("neu: 100 %"), (old / "mlartifacts").as_uri()
    old.rename(new) if how == "moved" else shutil.copytree(old, new)
    assert follow(new, monkeypatch, location)
    place = (new / "mlartifacts").as_uri()
    expected = [place, f"{place}/1/a", f"{location}2/1", "models:/m-1", None]
    assert list(places(new)) == [expected] * 5
    assert not follow(new, monkeypatch, place)
    if how == "copied":
        assert next(places(old))[0] == location


def test_other_stores_and_places_are_left_alone(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(places(old))
    location = (old / "mlartifacts").as_uri()
    assert not follow(old, monkeypatch, location)
    assert not follow(old, monkeypatch, "s3://bucket/mlartifacts")
    assert not follow(old, monkeypatch, "file:///elsewhere/of/my/own")
    assert not relocate.follow("http://127.0.0.1:9", location)
    bare = old.with_name("only the store")
    bare.mkdir()
    shutil.copy(old / "mlflow.db", bare)
    assert not follow(bare, monkeypatch, location)
    assert list(places(old)) == list(places(bare)) == before
