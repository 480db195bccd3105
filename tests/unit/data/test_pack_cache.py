"""Whatever the cache of decoded images holds, a run gives what it gives without one."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest

from thawline.data import pack_cache, packing, segments
from thawline.data.content import Geometry
from thawline.data.items import Item, Reject
from thawline.data.pack_cache import PackCache
from thawline.data.packing import Packed, pack
from thawline.errors import UserError

Encode = Callable[..., bytes]
Results = list[Packed | Reject]
MANY = 10**6
COUNT = 60
GEOMETRY = Geometry(image_size_px=16, fit="letterbox", background=(0, 0, 0))
JPEG = Geometry(image_size_px=16, fit="crop", background=(9, 0, 0), encoding="jpeg")


@pytest.fixture(scope="module")
def items(encode: Encode) -> list[Item]:
    """Two kinds of file, one with a wrong name, one broken, one twice."""
    found = []
    for k in range(COUNT):
        pixels = np.random.default_rng(k % 50).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        kind, suffix = (("PNG", "png"), ("JPEG", "jpg"), ("PNG", "jpg"))[k % 3]
        data = encode(pixels, kind)[: 50 if k == 7 else None]
        found.append(Item(name=f"{k}.{suffix}", label=k % 4, payload=data, group=f"g{k}"))
    return found


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several files for a few images."""
    monkeypatch.setattr(pack_cache, "SEGMENT_BYTES", 12_000)


def run(
    items: list[Item], folder: Path | None, geometry: Geometry = GEOMETRY, many: bool = False
) -> Results:
    if folder is None:
        return list(pack(items, geometry, len(items)))
    with PackCache(geometry, folder) as cache:
        return list(pack(items, geometry, MANY if many else len(items), cache))


def same(one: Results, other: Results) -> bool:
    return list(map(_told, one)) == list(map(_told, other))


def _told(result: Packed | Reject) -> object:
    if isinstance(result, Reject):
        return result
    pixels = (result.pixels.shape, result.pixels.dtype, result.pixels.tobytes())
    return replace(result, pixels=pixels)  # type: ignore[arg-type]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that were decoded in this process."""
    names: list[str] = []
    real = packing.content

    def counted(name: str, *more: object) -> object:
        names.append(name)
        return real(name, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(packing, "content", counted)
    return names


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


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
    before = pack_cache.made_with(GEOMETRY)
    monkeypatch.setattr(PIL, "__version__", "0.0")
    assert pack_cache.made_with(GEOMETRY) != before
    monkeypatch.undo()
    monkeypatch.setattr(pack_cache, "CODE", (*pack_cache.CODE, "near"))
    assert pack_cache.made_with(GEOMETRY) != before


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


def limit(monkeypatch: pytest.MonkeyPatch, num_bytes: float) -> None:
    monkeypatch.setenv(pack_cache.LIMIT, repr(num_bytes / 1e9))


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in files(folder))


def test_what_was_not_used_for_longest_makes_room(
    items: list[Item], tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(items, tmp_path, JPEG)
    old = set(files(tmp_path))
    for file in old:
        os.utime(file, (1, 1))
    run(items, tmp_path)
    limit(monkeypatch, size(tmp_path) + 1)
    changed = Geometry(image_size_px=15, fit="crop", background=(0, 0, 0))
    run(items[:20], tmp_path, changed)
    assert old - set(files(tmp_path))
    decoded.clear()
    run(items, tmp_path)
    assert len(decoded) == 1, "the newer files are all there"


@pytest.mark.parametrize("allowed", [5_000, 30_000])
def test_the_limit_holds_and_part_of_a_large_set_stays(
    items: list[Item], tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch,
    allowed: int,
) -> None:  # fmt: skip
    limit(monkeypatch, allowed)
    expected = run(items, None)
    for _ in range(3):
        decoded.clear()
        assert same(run(items, tmp_path), expected)
        assert size(tmp_path) <= allowed
    assert (len(decoded) < COUNT - 20) == (allowed == 30_000)


def test_zero_switches_it_off(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, 0)
    run(items, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("text", ["", "much", "-1", "nan", "inf", "1e300"])
def test_a_strange_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(pack_cache.LIMIT, text)
    with pytest.raises(UserError, match=r"THAWLINE_PACK_CACHE_GB: .* is no size; allowed: 0"):
        PackCache(GEOMETRY, tmp_path)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file beyond 4,000 bytes. Not a fixture: pytest itself may write to a longer log."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_ends_the_keeping_not_the_run(
    items: list[Item], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with full_disk():
        found = run(items, tmp_path)
    assert same(found, run(items, None))
    assert files(tmp_path) == []
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ingest: decoded images are not kept: ")


def test_a_folder_that_cannot_be_made(
    items: list[Item], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert same(run(items, tmp_path / "file" / "cache"), run(items, None))
    assert "are not kept" in capsys.readouterr().err


def test_half_files_of_killed_runs_are_removed_in_time(tmp_path: Path) -> None:
    for name, age in (("old", 4000), ("new", 10)):
        (tmp_path / name).with_suffix(segments.HALF).touch()
        then = time.time() - age
        os.utime((tmp_path / name).with_suffix(segments.HALF), (then, then))
    PackCache(GEOMETRY, tmp_path)
    assert [file.stem for file in files(tmp_path)] == ["new"]


_ENDLESS = """
import sys
from pathlib import Path
import numpy as np
from thawline.data import pack_cache
from thawline.data.content import Geometry, content
pack_cache.SEGMENT_BYTES = 12_000
geometry = Geometry(image_size_px=16, fit="letterbox", background=(0, 0, 0))
image = content("a", np.zeros((9, 9), np.uint8), geometry)
with pack_cache.PackCache(geometry, Path(sys.argv[1])) as cache:
    for number in range(10**9):
        cache.add(number.to_bytes(32, "big"), image)
"""


def test_killed_at_any_moment_it_stays_usable(items: list[Item], tmp_path: Path) -> None:
    expected = run(items, None)
    for _ in range(3):
        writing = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(tmp_path)])
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*.segment")) and time.monotonic() < deadline:
            time.sleep(0.02)
        writing.kill()
        assert writing.wait() == -signal.SIGKILL
        for _ in range(2):
            assert same(run(items, tmp_path), expected)
        for file in files(tmp_path):
            file.unlink()


def _often(items: list[Item], folder: Path) -> bool:
    expected = run(items, None)
    return all(same(run(items, folder, many=k % 2 > 0), expected) for k in range(4))


def test_several_runs_at_once_share_it(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With too little room, so that they remove each other's files."""
    limit(monkeypatch, 40_000)
    with ProcessPoolExecutor(3, multiprocessing.get_context("fork")) as pool:
        done = [pool.submit(_often, items, tmp_path) for _ in range(3)]
        assert [one.result(timeout=100) for one in done] == [True] * 3
