"""Damaged files of every kind: never a crash, 10 s, 1 GiB, or a file written elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.fuzzing import KINDS

LITTLE = {"images": 240, "archives": 40}
MUCH = {
    "images": 24_000, "archives": 4_000, "manifests": 4_000, "cards": 4_000, "weights": 4_000,
    "params": 400,
}  # fmt: skip
LEFT = {"archive", "manifest.parquet", "model.json", "w.safetensors", "params.yaml"}


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
    last = done.stdout.split()[-1:]
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
    assert MUCH["images"] >= 20_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", MUCH)
def test_many_damaged_files_do_no_harm(kind: str, tmp_path: Path, repository: Path) -> None:
    fuzz(kind, MUCH[kind], tmp_path, repository)
