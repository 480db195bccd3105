"""Packing on a real Dask cluster of two processes: the bytes of one process, whatever happens."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import distributed
import numpy as np
import pytest

from thawline.dataset.image_store import StoreWriter
from thawline.errors import UserError
from thawline.ingest import collect as walk
from thawline.ingest.decoding.preprocess import Geometry
from thawline.ingest.items import Item, Reject
from thawline.ingest.packing import dask_backend
from thawline.ingest.packing.image_cache import PackCache
from thawline.ingest.packing.packing import pack

Encode = Callable[..., bytes]
SIDE = 48
COUNT = 600


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def geometry(encoding: str) -> Geometry:
    return Geometry(image_size_px=SIDE, fit="crop", background=(0, 0, 0), encoding=encoding)


def source(encode: Encode, photo: np.ndarray, folder: Path) -> Iterator[Item | Reject]:
    """Files, bytes, pixels, twins, broken ones and what a source has set aside."""
    for index in range(COUNT):
        name, pixels = f"{index}.jpg", np.roll(photo, index // 2, axis=index % 2)
        if index % 50 == 7:
            yield Reject(name=name, reason="not a regular file")
        elif index % 3:
            data = encode(pixels, "JPEG")[: 60 if index % 40 == 1 else None]
            yield Item(name=name, label=index % 2, payload=data)
        elif index % 2:
            yield Item(name=name, label=index % 2, payload=pixels)
        else:
            (folder / name).write_bytes(encode(pixels, "PNG"))
            yield Item(name=name, label=index % 2, payload=folder / name)
    yield Item(name="gone.png", label=0, payload=folder / "gone.png")


Pack = Callable[..., tuple[dict[str, bytes], walk.Collected]]


@pytest.fixture
def packed(encode: Encode, photo: np.ndarray, tmp_path: Path) -> Pack:
    """Packs the source; what is in the store, and what was set aside."""
    (tmp_path / "source").mkdir()

    def run(name: str, encoding: str, num_items: int | None = 1, cache: PackCache | None = None,
            during: Callable[[int], object] = lambda _: None) -> object:  # fmt: skip
        with StoreWriter(tmp_path / name, SIDE) as writer:
            items = source(encode, photo, tmp_path / "source")
            results = pack(items, geometry(encoding), num_items, cache)
            watched = (during(number) or result for number, result in enumerate(results))
            found = walk.collect(watched, writer, ("a", "b"))  # type: ignore[arg-type]
        return {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}, found

    return run  # type: ignore[return-value]


def same(
    a: tuple[dict[str, bytes], walk.Collected], b: tuple[dict[str, bytes], walk.Collected]
) -> bool:
    (files, found), (others, other) = a, b
    assert found.rejects == other.rejects
    assert found.packed.sha256 == other.packed.sha256
    assert list(found.packed.looks) == list(other.packed.looks)
    return files == others


def executed(client: distributed.Client) -> list[int]:
    def count(dask_worker: distributed.Worker) -> int:
        return int(dask_worker.state.executed_count)

    return list(client.run(count).values())


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["raw", "jpeg"])
def test_the_bytes_are_those_of_one_process(
    client: distributed.Client, packed: Pack, monkeypatch: pytest.MonkeyPatch,
    encoding: str, tmp_path: Path,
) -> None:  # fmt: skip
    alone = packed("alone", encoding)
    assert len(alone[1].rejects) > 20
    before = executed(client)
    monkeypatch.setenv(dask_backend.ADDRESS, client.scheduler.address)
    with PackCache(geometry(encoding), tmp_path / "cache") as cache:
        assert same(packed("spread", encoding, cache=cache), alone)
    assert all(now > then for now, then in zip(executed(client), before, strict=True))
    with PackCache(geometry(encoding), tmp_path / "cache") as cache:
        assert cache.known is not None
        assert len(cache.known.prefixes) > COUNT // 2
        assert same(packed("again", encoding, cache=cache), alone)


@pytest.mark.slow
def test_a_worker_that_dies_changes_nothing(
    client: distributed.Client, packed: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = packed("alone", "raw")
    doomed = next(iter(client.run(os.getpid).values()))
    monkeypatch.setenv(dask_backend.ADDRESS, client.scheduler.address)

    def kill(number: int) -> None:
        if number == COUNT // 4:
            os.kill(doomed, signal.SIGKILL)

    assert same(packed("spread", "raw", during=kill), alone)
    client.wait_for_workers(2, timeout=60)


@pytest.mark.slow
def test_a_worker_with_other_code_is_refused(
    client: distributed.Client, packed: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(dask_backend.ADDRESS, client.scheduler.address)
    monkeypatch.setattr(dask_backend, "made_with", lambda geometry: "of another commit")
    with pytest.raises(UserError, match=r"THAWLINE_DASK: the worker on .* has other versions"):
        packed("spread", "raw")


def test_no_scheduler_is_a_mistake_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dask_backend.ADDRESS, "tcp://127.0.0.1:9")
    monkeypatch.setattr(dask_backend, "_CONNECT_S", 1)
    with pytest.raises(UserError, match=r"THAWLINE_DASK: 'tcp://127.0.0.1:9': no scheduler"):
        list(pack([], geometry("raw")))


@pytest.mark.slow
def test_workers_that_are_gone_are_a_mistake_in_a_line(
    client: distributed.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_backend, "_CONNECT_S", 1)
    monkeypatch.setenv(dask_backend.ADDRESS, client.scheduler.address)
    client.cluster.scale(0)
    while client.nthreads():
        time.sleep(0.1)
    with pytest.raises(UserError, match=r"THAWLINE_DASK: tcp://.* has no workers"):
        list(pack([], geometry("raw")))
