"""Killed anywhere, training goes on and ends in the bits of one that was never disturbed."""

import errno
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from thawline.checkpoint import ModelCard
from thawline.network import Network
from thawline.training import identity, plain, resume, sealed
from thawline.training.history import Epoch, History
from thawline.training.recipe import Recipe
from thawline.training.resume import Resume
from thawline.training.setting import Machine, TrainingData
from thawline.training.steps import Steps
from thawline.training.train import train

Change = Callable[..., Recipe]
CPU = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)
EPOCHS = 4
BATCHES = 4
HARD = {"optimizer": "adamw", "learning_rate": 0.01, "trainable": "last_blocks", "num_blocks": 2}


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "SHORTEST_S", 0.0)


class Training:
    """The same training again and again, as so many processes would do it."""

    def __init__(
        self, network: Network, card: ModelCard, data: TrainingData, recipe: Recipe, folder: Path
    ) -> None:
        self.network, self.card, self.data, self.recipe = network, card, data, recipe
        self.folder = folder
        self._start = {name: value.clone() for name, value in network.state_dict().items()}
        self.seen: list[int] = []
        self.dies_in: int | None = None

    def kept(self, recipe: Recipe, minutes: float = 0.0) -> Resume:
        self.network.load_state_dict(self._start)
        known_by = identity.of_training(self.network, self.card, self.data, recipe, CPU)
        return Resume("fine_tune", known_by, minutes=minutes, folder=self.folder)

    def run(
        self,
        *,
        die_after: int | None = None,
        monkeypatch: pytest.MonkeyPatch | None = None,
        minutes: float = 0.0,
        recipe: Recipe | None = None,
    ) -> tuple[History, dict[str, torch.Tensor]]:
        """From the first weights; ended after a number of steps, if one is given."""
        self.seen = []
        torch.manual_seed(5)  # of dropout
        chosen = recipe or self.recipe
        kept = self.kept(chosen, minutes)
        if die_after is not None:
            assert monkeypatch is not None
            monkeypatch.setattr(Steps, "step", _dying(die_after))
        try:
            history = train(self.network, self.card, self.data, chosen, CPU, self._note, kept)
        finally:
            if monkeypatch is not None:
                monkeypatch.undo()
                monkeypatch.setattr(resume, "SHORTEST_S", 0.0)
        return history, {name: value.clone() for name, value in self.network.state_dict().items()}

    def forget(self) -> None:
        self.kept(self.recipe).finish()

    def _note(self, number: int, epoch: Epoch) -> None:
        self.seen.append(number)
        if number == self.dies_in:
            raise Killed


def _dying(steps: int) -> Callable[..., torch.Tensor]:
    original, done = Steps.step, 0

    def step(self: Steps, *batch: torch.Tensor) -> torch.Tensor:
        nonlocal done
        if done == steps:
            raise Killed
        done += 1
        return original(self, *batch)

    return step


@pytest.fixture
def training(
    small: Network, card: ModelCard, data: TrainingData, recipe: Change, tmp_path: Path
) -> Callable[..., Training]:
    def made(**changes: object) -> Training:
        chosen = recipe(epochs=EPOCHS, **HARD | changes)
        return Training(small, card, data, chosen, tmp_path / "resume")

    return made


def same(one: tuple[History, dict[str, torch.Tensor]], other: object) -> bool:
    assert isinstance(other, tuple)
    history, state = one
    equal = all(torch.equal(value, other[1][name]) for name, value in state.items())
    return equal and history.epochs == other[0].epochs and history.best_epoch == other[0].best_epoch


@pytest.mark.parametrize(
    "changes",
    [
        {"ema_decay": 0.9},
        {"optimizer": "sgd", "schedule": "cosine", "warmup_ratio": 0.3, "layer_decay": 0.7},
        {"unfreeze_every": 1},
        {"trainable": "all", "cutmix_alpha": 1.0, "random_erasing": 0.3},
        {"trainable": "head"},
        {"optimizer": "adadelta"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "minutes",
    [pytest.param(0.0, marks=pytest.mark.slow), 1e-9],
    ids=["epochs", "steps"],
)
def test_a_killed_training_ends_in_the_same_bits(
    training: Callable[..., Training],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    minutes: float,
) -> None:
    one = training(**changes)
    undisturbed = one.run()
    one.forget()
    for steps in (BATCHES + 1, 2, BATCHES):
        with pytest.raises(Killed):
            one.run(die_after=steps, monkeypatch=monkeypatch, minutes=minutes)
    again = one.run(minutes=minutes)
    assert one.seen == list(range(EPOCHS)), "the epochs before are told again"
    assert same(undisturbed, again)


def test_it_goes_on_after_the_last_epoch(
    training: Callable[..., Training],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = training()
    with pytest.raises(Killed):
        one.run(die_after=2 * BATCHES + 1, monkeypatch=monkeypatch)
    capsys.readouterr()
    one.run()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "fine_tune: resumes after epoch 2"
    assert said[1].startswith("epoch   3/4")


def test_killed_between_the_last_step_of_an_epoch_and_its_end(
    training: Callable[..., Training],
) -> None:
    one = training(trainable="all")
    undisturbed = one.run()
    one.forget()
    one.dies_in = 1
    with pytest.raises(Killed):
        one.run(minutes=1e-9)
    one.dies_in = None
    assert same(undisturbed, one.run())


def test_it_goes_on_within_an_epoch(
    training: Callable[..., Training],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = training()
    with pytest.raises(Killed):
        one.run(die_after=BATCHES + 3, monkeypatch=monkeypatch, minutes=1e-9)
    with pytest.raises(Killed):
        one.run(die_after=0, monkeypatch=monkeypatch)
    assert "fine_tune: resumes after epoch 1, in epoch 2" in capsys.readouterr().err


def test_one_that_stopped_early_stays_so(training: Callable[..., Training]) -> None:
    one = training(learning_rate=1e-9, patience=2)
    undisturbed = one.run()
    assert len(undisturbed[0].epochs) == 3
    assert same(undisturbed, one.run())


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
    sealed.write(file, sealed.read_about(file), [body])


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(pickle.dumps(Trap())),
        lambda file: file.write_bytes(os.urandom(20_000)),
        lambda file: file.write_bytes(b"[" * 20_000),
        lambda file: _flip(file, 9000),
        lambda file: _flip(file, 120),
        lambda file: _with_body(file, pickle.dumps(Trap())),
        lambda file: _with_body(file, plain.dumps({"steps": None})),
        lambda file: _with_body(file, plain.dumps([])),
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
    state = plain.loads(file.read_bytes()[sealed.HEADER_BYTES :])
    network = state["steps"]["network"]
    state["steps"]["network"] = {name: torch.ones(2, 2) for name in network}
    return plain.dumps(state)


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
    again = plain.loads(plain.dumps(tree))
    assert again["a"] == tree["a"]
    assert torch.equal(again[3][0], tree[3][0])
    assert again[3][0].stride() == tree[3][0].stride()
    assert again[3][1].dtype == torch.int64


def test_half_files_of_killed_writers_are_removed(tmp_path: Path) -> None:
    for name, age in (("old", 7200), ("new", 60)):
        half = tmp_path / f"{name}{sealed.HALF}"
        half.write_bytes(b"half")
        os.utime(half, (time.time() - age, time.time() - age))
    sealed.remove_abandoned(tmp_path)
    assert [file.stem for file in tmp_path.iterdir()] == ["new"]
