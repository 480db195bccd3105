"""Every source of labelled images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contract import inputs
from tests.contract.plugin import cases, function, untouched_randomness
from thawline.ingest.items import Item, Source
from thawline.ingest.packing.packing import Geometry, Packed, prepare
from thawline.params import plugins

Read = Callable[[], Source]


CASES = [case for case in cases(plugins.SOURCE) if inputs.can_make(*case)]


@pytest.fixture(params=CASES, ids=str)
def read(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads a small set in the form that the source expects."""
    name, options = request.param
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "set"
    folder.mkdir(parents=True)
    path = inputs.MAKERS[name](folder, options)
    chosen: dict[str, Any] = options
    return lambda: function(plugins.SOURCE, name)(path, **chosen)


def test_items_are_labelled_named_and_counted(read: Read, tmp_path: Path) -> None:
    source = read()
    items = list(source.items)
    assert len(source.classes) == len(set(source.classes)) >= 2
    assert source.num_items in (None, len(items))
    assert len({item.name for item in items}) == len(items)
    for item in items:
        assert isinstance(item, Item)
        assert 0 <= item.label < len(source.classes)
        assert isinstance(item.label, int)
        assert item.split in (None, "train", "val", "test")
        assert str(tmp_path) not in item.name, (
            "an absolute path would change the hash of the output"
        )
    assert {item.label for item in items if isinstance(item, Item)} == set(
        range(len(source.classes))
    )


def test_reading_twice_gives_the_same(read: Read) -> None:
    with untouched_randomness():
        first, second = read(), read()
        pairs = list(zip(first.items, second.items, strict=True))
    assert first.classes == second.classes
    for a, b in pairs:
        assert isinstance(a, Item)
        assert isinstance(b, Item)
        assert (a.name, a.label, a.group, a.split) == (b.name, b.label, b.group, b.split)
        assert np.array_equal(np.asarray(a.payload), np.asarray(b.payload))


def test_items_decode(read: Read) -> None:
    geometry = Geometry(image_size_px=16, fit="letterbox", background=(0, 0, 0))
    for item in list(read().items)[:20]:
        assert isinstance(prepare(item, geometry), Packed)


def test_an_imbalance_is_at_least_one(read: Read) -> None:
    ratio = read().imbalance_ratio
    assert ratio is None or ratio > 1
