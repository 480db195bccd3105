"""The cache of decoded images keeps to its room, and to what killed and simultaneous runs leave."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.ingest.image_cache.conftest import COUNT, GEOMETRY, JPEG, files, run, same
from thawline.errors import UserError
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.items import Item
from thawline.ingest.packing import image_cache, segments
from thawline.ingest.packing.image_cache import PackCache


def limit(monkeypatch: pytest.MonkeyPatch, num_bytes: float) -> None:
    monkeypatch.setenv(image_cache.LIMIT, repr(num_bytes / 1e9))


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
    monkeypatch.setenv(image_cache.LIMIT, text)
    with pytest.raises(UserError, match=r"THAWLINE_PACK_CACHE_GB: .* is not a size; allowed: 0"):
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
from thawline.ingest.packing import image_cache as pack_cache
from thawline.ingest.decoding.preprocess import Geometry, content
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
