"""Killed anywhere, training goes on and ends in the bits of one that was never disturbed."""

from collections.abc import Callable

import pytest

from tests.unit.training.resume.kills import BATCHES, EPOCHS, Killed, Training, same


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
