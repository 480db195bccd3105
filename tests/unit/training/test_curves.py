"""What a training stage recorded, read again."""

import json
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from thawline.errors import UserError
from thawline.training import curves, stage
from thawline.training.history import History

HEAD = "epoch,train_loss,val_loss,val_accuracy,val_macro_f1\n"
START = {"val_loss": 0.6, "val_accuracy": 0.778, "val_macro_f1": 0.76}


def recorded(folder: Path, best_epoch: int, kept: float, **start: float) -> Path:
    (folder / "curves.csv").write_text(f"{HEAD}1,0.5,,0.1,0.1\n2,0.25,0.5,0.222,0.2\n")
    metrics = {"best_epoch": best_epoch, **dict.fromkeys(curves.SCORES, kept)}
    metrics |= {f"start_{key}": value for key, value in start.items()}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_curves_are_read_with_gaps(tmp_path: Path) -> None:
    read = curves.read(recorded(tmp_path, 2, 0.2))
    assert read.epochs["train_loss"].tolist() == [0.5, 0.25]
    assert np.isnan(read.epochs["val_loss"][0])
    assert (read.num_epochs, read.reached, read.start) == (2, 0.2, {})


def test_of_a_training_that_was_thrown_away_the_start_was_kept(tmp_path: Path) -> None:
    read = curves.read(recorded(tmp_path, 0, 0.76, **START))
    assert read.kept_start
    assert read.kept == read.start
    assert curves.describe(read) == (
        "kept the weights that it began with: their validation macro-F1 is 0.760, and training "
        "reached 0.200"
    )


def test_an_older_record_says_the_start_s_scores_as_those_that_were_kept(tmp_path: Path) -> None:
    assert curves.read(recorded(tmp_path, 0, 0.76)).start["val_accuracy"] == 0.76


def test_of_an_epoch_that_was_kept_there_is_nothing_to_say(tmp_path: Path) -> None:
    read = curves.read(recorded(tmp_path, 2, 0.2, **START))
    assert (read.kept["val_accuracy"], read.start) == (0.2, START)
    assert curves.describe(read) == ""


def test_a_stage_without_epochs_threw_nothing_away(tmp_path: Path) -> None:
    (recorded(tmp_path, 0, 0.9) / "curves.csv").write_text(HEAD)
    read = curves.read(tmp_path)
    assert (read.num_epochs, read.kept_start, curves.describe(read)) == (0, False, "")
    assert np.isnan(read.reached)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"best_epoch": 1}'])
def test_damage_is_one_message(tmp_path: Path, text: str) -> None:
    (recorded(tmp_path, 1, 0.1) / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json: damaged"):
        curves.read(tmp_path)


def test_a_stage_records_the_scores_of_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spoilt = {"train_loss": 2.0, "learning_rate": 9.0, **dict.fromkeys(curves.SCORES, 0.222)}
    stage._write_reports("fine_tune", History(epochs=[spoilt], start=START), nn.Linear(1, 1))
    read = curves.read(tmp_path / "reports/fine_tune")
    assert (read.kept, read.start, read.reached) == (START, START, 0.222)
    bettered = History(epochs=[spoilt], start=START, best_epoch=0)
    stage._write_reports("fine_tune", bettered, nn.Linear(1, 1))
    read = curves.read(tmp_path / "reports/fine_tune")
    assert (read.kept["val_accuracy"], read.start) == (0.222, START)
