"""The project's scratch: damage there costs at most a recomputation."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.faults.fuzz.damage import Kind, refusable

_SCRATCH = Path(".thawline")


def resumes() -> Kind:
    """Take up a checkpoint of training under way, damaged as a file and under a right checksum."""
    from thawline.runtime import checksummed_file
    from thawline.training import resume, state_file

    known_by = {"seed": "1"}
    place = Path("resume")

    def state() -> resume.State:
        tree = {"step": 3, "weights": torch.ones(2, 3, 1, 1), "rest": [1, (2.5, None, "x")]}
        return {"model": tree, "random": {"cpu": torch.get_rng_state(), "cuda": []}}

    def load(found: resume.State) -> None:
        weights = found["model"]["weights"]
        torch.zeros(2, 3, 1, 1).copy_(weights)
        resume.set_random_state(found["random"])

    whole = resume.Resume("fine_tune", known_by, minutes=1, folder=place)
    whole.write(state())
    file = whole._path
    kept = file.read_bytes()
    about = checksummed_file.read_about(file)

    def read(data: bytes, _: Path) -> None:
        for sealed_again in (False, True):
            if sealed_again:
                checksummed_file.write(file, about, [data[checksummed_file.HEADER_BYTES :]])
            else:
                file.write_bytes(data)
            resume.resume(
                resume.Resume("fine_tune", known_by, minutes=1, folder=place), load, state
            )
        other = {**about, "depends_on": json.loads(_json_or_null(data))}
        checksummed_file.write(file, other, [state_file.dumps({})])
        resume.Resume("fine_tune", {"seed": "2"}, minutes=1, folder=place).read()

    return Kind(files=[kept], read=read)


def features() -> Kind:
    """Read kept features; what is damaged is computed anew."""
    from thawline.features import cache as feature_cache
    from thawline.runtime import checksummed_file

    place, known_by = Path("features"), {"weights": "x"}
    array = np.arange(12, dtype=np.float32).reshape(4, 3)

    def get() -> np.ndarray:
        return feature_cache.FeatureCache(1.0, place).get(known_by, 4, lambda: [array])

    get()
    (file,) = place.glob(f"*{feature_cache.SUFFIX}")
    kept = file.read_bytes()

    def read(data: bytes, _: Path) -> None:
        file.write_bytes(data)
        assert np.array_equal(get(), array)
        about: dict[str, Any] = {"known_by": known_by, "shape": json.loads(_json_or_null(data))}
        checksummed_file.write(file, about, [array.tobytes()])
        found = get()
        assert found.size <= array.size, found.shape

    return Kind(files=[kept, b"[4, 3]", b"[2, 2, 3]"], read=read, text=True)


def packed() -> Kind:
    """Find decoded images that were kept."""
    from thawline.ingest.decoding.preprocess import Geometry, PreparedImage, content
    from thawline.ingest.packing import image_cache, segments

    geometry = Geometry(image_size_px=8, fit="crop", background=(0, 0, 0))
    noise = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    whole = content("a.png", noise, geometry)
    keys = [image_cache.key(f"{number}.png", b"x") for number in range(3)]
    place = Path("packed")
    with image_cache.PackCache(geometry, place) as cache:
        for key in keys:
            cache.add(key, whole)
    (file,) = place.glob(f"*{segments.SUFFIX}")
    kept = file.read_bytes()

    def same(found: PreparedImage | None) -> bool:
        return found is None or (
            np.array_equal(found.pixels, whole.pixels) and found.sha256 == whole.sha256
        )

    def read(data: bytes, _: Path) -> None:
        file.write_bytes(data)
        known = image_cache.Known.from_files([file], geometry)
        assert all(same(known.find(key)) for key in keys)

    return Kind(files=[kept], read=read)


def spools() -> Kind:
    """Send what waits for MLflow."""
    from thawline.tracking import journal
    from thawline.tracking.recorder import coalesce

    header = {"run_id": "a" * 32, "parent_run_id": "b" * 32, "experiment": "x"}
    events = [
        {"event": "metrics", "t": 1, "step": 0, "values": {"loss": 0.5}},
        {"event": "files", "t": 2, "files": [["x", "y"]]},
        {"event": "end", "t": 3, "status": "FINISHED", "message": "", "outs": {}},
    ]
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)

    def read(data: bytes, _: Path) -> None:
        shutil.rmtree(_SCRATCH, ignore_errors=True)
        waiting = journal.Journal.create(header=header)
        (waiting.folder / "events.jsonl").write_bytes(data)
        (waiting.folder / "sent").write_bytes(data[:3])
        got: list[Mapping[str, Any]] = []
        waiting.send(got.append)
        assert all(isinstance(event, dict) for event in coalesce(got))
        waiting = journal.Journal.create(header=header)
        (waiting.folder / "header.json").write_bytes(data)
        refusable(lambda: [one.header for one in journal.waiting()], ValueError)

    return Kind(files=[lines, json.dumps(header).encode()], read=read, text=True)


def executions() -> Kind:
    """Read the states of executions, of the inputs that were checked, of trials, of the graph."""
    from thawline.dvc import input_check
    from thawline.flows import dag
    from thawline.registry import gate_outcome
    from thawline.runtime import execution
    from thawline.studies import records

    current = execution.Execution("1-ab", os.getpid(), 1.0)
    fresh = execution._fresh(current) | {"stages": {"ingest": {"status": "finished", "outs": {}}}}
    record = records.TrialRecord(
        study="s", key="k", contender="c", seed=1, overrides={"seed": 1}, state="complete"
    )

    def read(data: bytes, _: Path) -> None:
        for name in (
            "executions/1-ab.json",
            "received.json",
            "dag.json",
            "studies/s/k/record.json",
        ):
            path = _SCRATCH / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for known, _state in execution.everything():
            execution.alive(known)
        execution.note(current, "evaluate", status="finished")
        input_check._known()
        dag._known("key")
        records.TrialRecord.read("s", "k")
        gate_outcome.Outcome.read(_SCRATCH / "dag.json")

    files = [fresh, {"a/b": ["x", "y"]}, {"key": "key", "edges": [["a", "b"]]}]
    files.append(
        asdict(record)
        | {"rows": {"ids": ["a"], "labels": [0], "predicted": [1], "rare": [True, False]}}
    )
    return Kind(files=[json.dumps(file).encode() for file in files], read=read, text=True)


def lists() -> Kind:
    """Remove what is damaged from DVC's cache, by the list of a folder there."""
    from thawline.dvc import cache as dvc_cache
    from thawline.dvc import input_check

    cache = Path("cache").absolute()
    dvc_cache._cache = lambda: cache  # type: ignore[assignment]  # no `dvc` a case
    digest = "0" * 32
    place = cache / "files" / "md5" / "00"
    place.mkdir(parents=True)
    listed = [{"md5": "0" * 32, "relpath": "a"}, {"md5": "../../../x", "relpath": "b"}]

    def read(data: bytes, _: Path) -> None:
        (place / f"{digest[2:]}.dir").write_bytes(data)
        (place / digest[2:]).write_bytes(b"x")
        (cache / "files" / "keep").touch()
        input_check._remove_damaged(f"{digest}.dir")
        assert (cache / "files" / "keep").exists()

    return Kind(files=[json.dumps(listed).encode()], read=read, text=True)


def _json_or_null(data: bytes) -> bytes:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return b"null"
    return data
