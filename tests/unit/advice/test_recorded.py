"""Figures that the training stages have left behind."""

import json
from pathlib import Path

import pytest

from thawline.advice import recorded
from thawline.training.curves import SCORES

HEAD = "epoch,val_accuracy,val_macro_f1\n"


def tuned(folder: Path, best_epoch: int, *scores: float, start: float = 0.6) -> Path:
    rows = [f"{epoch},{score},{score}\n" for epoch, score in enumerate(scores, 1)]
    (folder / "curves.csv").write_text(HEAD + "".join(rows))
    kept = scores[best_epoch - 1] if best_epoch else start
    metrics = {"best_epoch": best_epoch, **dict.fromkeys(SCORES, kept)}
    metrics |= {f"start_{key}": start for key in SCORES}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_the_epoch_that_was_kept_is_judged(tmp_path: Path) -> None:
    folder = tuned(tmp_path, 2, 0.5, 0.75, 0.7)
    assert recorded.val_accuracy(folder) == 0.75
    assert recorded.gained(folder) == pytest.approx(0.15)


def test_the_start_is_judged_where_it_was_kept(tmp_path: Path) -> None:
    folder = tuned(tmp_path, 0, 0.1, 0.222, 0.2, start=0.778)
    assert recorded.val_accuracy(folder) == 0.778
    assert recorded.gained(folder) == pytest.approx(0.222 - 0.778)


@pytest.mark.parametrize("text", [None, "", HEAD, "epoch,val_macro_f1\n1,x\n", "\x00"])
def test_a_stage_that_has_not_run_says_nothing(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "curves.csv").write_text(text)
    assert recorded.val_accuracy(tmp_path) is None
    assert recorded.gained(tmp_path) is None
