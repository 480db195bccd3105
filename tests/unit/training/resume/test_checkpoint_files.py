"""The file that a killed training leaves counts only if it is whole and of the same training."""

import errno
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from tests.unit.training.resume.kills import (
    BATCHES,
    EPOCHS,
    HARD,
    Change,
    Killed,
    Training,
    same,
)
from thawline.runtime import checksummed_file
from thawline.training import state_file


def test_other_inputs_start_anew_and_say_so(
    training: Callable[..., Training], recipe: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    one = training()
    one.run()
    other = recipe(epochs=EPOCHS, **HARD | {"learning_rate": 0.02})
    one.run(recipe=other)
    said = capsys.readouterr().err
    assert "starts anew: the run that was interrupted had other fine_tune.learning_rate\n" in said
    assert "resumes" not in said
    assert len(list(one.folder.iterdir())) == 1, "what is of no more use is removed"


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.9999])
def test_a_checkpoint_cut_short_is_ignored(
    training: Callable[..., Training], capsys: pytest.CaptureFixture[str], share: float
) -> None:
    one = training()
    undisturbed = one.run()
    (file,) = one.folder.iterdir()
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    capsys.readouterr()
    assert same(undisturbed, one.run())
    said = capsys.readouterr().err
    assert said.count("is ignored") == 1
    assert "resumes" not in said


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was run')",))


def _with_body(file: Path, body: bytes) -> None:
    checksummed_file.write(file, checksummed_file.read_about(file), [body])


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(pickle.dumps(Trap())),
        lambda file: file.write_bytes(os.urandom(20_000)),
        lambda file: file.write_bytes(b"[" * 20_000),
        lambda file: _flip(file, 9000),
        lambda file: _flip(file, 120),
        lambda file: _with_body(file, pickle.dumps(Trap())),
        lambda file: _with_body(file, state_file.dumps({"steps": None})),
        lambda file: _with_body(file, state_file.dumps([])),
        lambda file: _with_body(file, _of_other_shapes(file)),
    ],
)
def test_a_foreign_checkpoint_is_ignored(
    training: Callable[..., Training],
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], object],
) -> None:
    """Also one whose checksum is right."""
    one = training()
    undisturbed = one.run()
    (file,) = one.folder.iterdir()
    damage(file)
    capsys.readouterr()
    assert same(undisturbed, one.run())
    said = capsys.readouterr().err
    assert said.count("is ignored") == 1
    assert "resumes" not in said


def _flip(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def _of_other_shapes(file: Path) -> bytes:
    state = state_file.loads(file.read_bytes()[checksummed_file.HEADER_BYTES :])
    network = state["steps"]["network"]
    state["steps"]["network"] = {name: torch.ones(2, 2) for name in network}
    return state_file.dumps(state)


def test_a_full_disk_leaves_the_last_checkpoint(
    training: Callable[..., Training],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = training()
    undisturbed = one.run()
    one.forget()
    with pytest.raises(Killed):
        one.run(die_after=BATCHES, monkeypatch=monkeypatch)
    (file,) = one.folder.iterdir()
    before = file.read_bytes()

    def full(descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    capsys.readouterr()
    monkeypatch.setattr(os, "fsync", full)
    again = one.run()
    said = capsys.readouterr().err
    assert said.count("no checkpoint was written: No space left on device") == 1
    assert same(undisturbed, again)
    assert [f.read_bytes() for f in one.folder.iterdir()] == [before]


def test_memory_layout_and_types_come_back() -> None:
    tree = {
        "a": (1, 2.5, None, True, "x", float("-inf")),
        3: [torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last), torch.tensor(7)],
    }
    again = state_file.loads(state_file.dumps(tree))
    assert again["a"] == tree["a"]
    assert torch.equal(again[3][0], tree[3][0])
    assert again[3][0].stride() == tree[3][0].stride()
    assert again[3][1].dtype == torch.int64


def test_half_files_of_killed_writers_are_removed(tmp_path: Path) -> None:
    for name, age in (("old", 7200), ("new", 60)):
        half = tmp_path / f"{name}{checksummed_file.HALF}"
        half.write_bytes(b"half")
        os.utime(half, (time.time() - age, time.time() - age))
    checksummed_file.remove_abandoned(tmp_path)
    assert [file.stem for file in tmp_path.iterdir()] == ["new"]
