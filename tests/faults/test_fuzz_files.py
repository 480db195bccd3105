"""Damaged files of every kind: never a crash, 10 s, 1 GiB, or a file written elsewhere."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.fuzzing import KINDS

LITTLE = {"images": 240, "archives": 40, "csv": 40, "npz": 40, "shards": 40}
MUCH = {
    "images": 48_000, "heads": 8_000, "requests": 4_000,
    "archives": 8_000, "sets": 4_000, "npz": 4_000, "idx": 8_000, "seen": 8_000,
    "csv": 8_000, "parquet": 6_000, "datasets": 300, "fixes": 8_000, "holdouts": 8_000,
    "cards": 8_000, "weights": 8_000, "checkpoints": 6_000, "refits": 6_000, "networks": 1_000,
    "manifests": 8_000, "rows": 6_000, "shards": 6_000, "decisions": 6_000, "curves": 8_000,
    "resumes": 2_000, "features": 2_000, "packed": 6_000, "spools": 1_000, "executions": 2_000,
    "lists": 4_000,
    "params": 800, "policies": 2_000, "studies": 800, "schedules": 4_000, "graphs": 800,
    "places": 4_000,
}  # fmt: skip
NEEDS = {"datasets": "datasets"}
LEFT = {
    "archive", "set.npz", "idx", "seen.npz", "table", "set", "whole", "fixes.csv", "holdout.csv",
    "model.json", "model.onnx", "w.safetensors", "w.pth", "refit.safetensors", "start", "tuned",
    "served", "manifest.parquet", "sources.parquet", "r", "s", "raw", "jpeg", "curves.csv",
    "decided.json", "decision.json", "metrics.json", "resume", "features", "packed", ".thawline",
    "cache", "params.yaml", "policy.yaml", "study.yaml", "dvc.lock", "dvc.yaml", "repository",
}  # fmt: skip


def fuzz(kind: str, number: int, folder: Path, repository: Path) -> None:
    work = folder / "inner" / "work"
    work.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.fuzzing", kind, str(number)],
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    numbers = [line for line in done.stdout.splitlines() if line.isdecimal()]
    last = numbers[-1:]
    assert done.returncode == 0, f"case {last}, exit code {done.returncode}\n{done.stderr}"
    assert last == [str(number - 1)]
    assert [path.name for path in folder.iterdir()] == ["inner"]
    assert [path.name for path in (folder / "inner").iterdir()] == ["work"]
    assert {path.name for path in work.iterdir()} <= LEFT


@pytest.mark.parametrize("kind", LITTLE)
def test_a_few_damaged_files_do_no_harm(kind: str, tmp_path: Path, repository: Path) -> None:
    fuzz(kind, LITTLE[kind], tmp_path, repository)


def test_every_kind_is_in_the_large_budget() -> None:
    assert set(MUCH) == set(KINDS)
    assert MUCH["images"] >= 48_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", MUCH)
def test_many_damaged_files_do_no_harm(kind: str, tmp_path: Path, repository: Path) -> None:
    if kind in NEEDS and importlib.util.find_spec(NEEDS[kind]) is None:
        pytest.skip(f"{NEEDS[kind]} is not installed")
    fuzz(kind, MUCH[kind], tmp_path, repository)
