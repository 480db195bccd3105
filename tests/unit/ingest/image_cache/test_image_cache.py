"""Whatever the cache of decoded images holds, a run gives what it gives without one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest

from tests.unit.ingest.image_cache.conftest import COUNT, GEOMETRY, JPEG, files, run, same
from thawline.dvc import code
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing import image_cache
from thawline.ingest.packing.image_cache import PackCache
from thawline.ingest.packing.packing import Packed, pack


@pytest.mark.parametrize("geometry", [GEOMETRY, JPEG])
@pytest.mark.parametrize("many", [False, True])
def test_cold_half_warm_and_warm_give_the_same(
    items: list[Item], tmp_path: Path, geometry: Geometry, many: bool
) -> None:
    expected = run(items, None, geometry)
    assert sum(isinstance(result, Reject) for result in expected) == 1
    assert same(run(items[:25], tmp_path, geometry, many), expected[:25])
    for _ in range(2):
        assert same(run(items, tmp_path, geometry, many), expected)
    assert len(files(tmp_path)) > 2


def test_only_new_files_are_decoded(items: list[Item], tmp_path: Path, decoded: list[str]) -> None:
    run(items[:40], tmp_path)
    assert len(decoded) == 40
    decoded.clear()
    moved = [Item(name=f"elsewhere/{i.name}", label=3, payload=i.payload) for i in items[:40]]
    results = run(moved + items[40:], tmp_path)
    # The broken file is tried again; from 50 on the bytes are those of a file before, and some of
    # the names have another suffix.
    assert "elsewhere/7.png" not in decoded
    assert "elsewhere/7.jpg" in decoded
    assert set(decoded) <= {"elsewhere/7.jpg"} | {i.name for i in items[40:]}
    assert same(results[40:], run(items[40:], None))
    assert isinstance(results[0], Packed)
    assert (results[0].item_name, results[0].label, results[0].group) == (
        "elsewhere/0.png",
        3,
        None,
    )


def test_a_note_belongs_to_the_name_it_speaks_of(items: list[Item], tmp_path: Path) -> None:
    renamed = [Item(name=f"{k}.tiff", label=0, payload=i.payload) for k, i in enumerate(items)]
    run(items, tmp_path)
    assert same(run(renamed, tmp_path), run(renamed, None))


def test_another_geometry_code_or_library_decodes_anew(
    items: list[Item], tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(items[:5], tmp_path)
    for other in (JPEG, Geometry(image_size_px=17, fit="letterbox", background=(0, 0, 0))):
        decoded.clear()
        run(items[:5], tmp_path, other)
        assert len(decoded) == 5
    before = image_cache.made_with(GEOMETRY)
    monkeypatch.setattr(PIL, "__version__", "0.0")
    assert image_cache.made_with(GEOMETRY) != before
    monkeypatch.undo()
    decoder = code.Code()
    changed = decoder.graph.hashes | {"thawline/ingest/decoding/decode.py": "0" * 64}
    decoder.graph = replace(
        decoder.graph, hashes=changed, named={**decoder.graph.named, "0" * 64: []}
    )
    monkeypatch.setattr(code, "running", lambda: decoder)
    assert image_cache.made_with(GEOMETRY) != before


def test_pixels_of_a_source_are_not_kept(tmp_path: Path) -> None:
    run([Item(name="a", label=0, payload=np.zeros((9, 9), np.uint8))], tmp_path)
    assert files(tmp_path) == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"text\n" * 900,
    "head": lambda data: data[:10],
    "table": lambda data: data[:100],
    "half": lambda data: data[: len(data) // 2],
    "last byte": lambda data: data[:-1],
    "longer": lambda data: data + b"x",
    "zeros": lambda data: data[:2000] + bytes(len(data) - 2000),
    "a number of rows": lambda data: data[:8] + b"\xff" * 8 + data[16:],
    "no row": lambda data: data[:8] + bytes(8) + data[16:],
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_are_made_again(
    items: list[Item], tmp_path: Path, decoded: list[str], name: str
) -> None:
    expected = run(items, tmp_path)
    for file in files(tmp_path)[:2]:
        file.write_bytes(DAMAGES[name](file.read_bytes()))
    decoded.clear()
    assert same(run(items, tmp_path), expected)
    assert len(decoded) > 1
    decoded.clear()
    assert same(run(items, tmp_path), expected)
    assert len(decoded) == 1, "only the broken file is tried again"


def test_no_flipped_bit_changes_a_result(items: list[Item], tmp_path: Path) -> None:
    items = items[:7]
    expected = run(items, tmp_path)
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    places = [*range(0, 600, 7), *rng.integers(0, len(whole), 150).tolist()]
    for at in places:
        changed = bytearray(whole)
        changed[at] ^= 1 << int(rng.integers(8))
        for made in files(tmp_path):
            made.unlink()
        file.write_bytes(changed)
        assert same(run(items, tmp_path), expected), at


def test_a_file_that_vanishes_meanwhile_is_done_without(items: list[Item], tmp_path: Path) -> None:
    expected = run(items, tmp_path)
    with PackCache(GEOMETRY, tmp_path) as cache:
        for file in files(tmp_path):
            file.unlink()
        assert same(list(pack(items, GEOMETRY, COUNT, cache)), expected)
