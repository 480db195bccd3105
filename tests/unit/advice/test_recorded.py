"""Figures that the training stages have left behind."""

from pathlib import Path

import pytest

from tests.unit.advice.conftest import with_values
from thawline import params
from thawline.advice import recorded

HEAD = "epoch,val_accuracy,val_macro_f1\n"


def curves(folder: Path, *scores: float) -> Path:
    folder.mkdir(parents=True)
    rows = [f"{epoch},{score},{score}\n" for epoch, score in enumerate(scores, 1)]
    (folder / "curves.csv").write_text(HEAD + "".join(rows))
    return folder


def test_the_late_gain_is_that_of_the_last_quarter(repository: Path, tmp_path: Path) -> None:
    read = with_values(params.load(repository / "params.yaml"), {"fine_tune.epochs": 8})
    whole = curves(tmp_path / "a", *[0.1, 0.2, 0.5, 0.4, 0.6, 0.7, 0.75, 0.72])
    early = curves(tmp_path / "b", *[0.1, 0.2])
    found = recorded.late_gain(read, {"fine_tune": whole, "transfer_learn": early})
    assert found == {"fine_tune": pytest.approx(0.05)}
    assert recorded.val_accuracy({"fine_tune": whole}) == 0.75


@pytest.mark.parametrize("text", [None, "", HEAD, "epoch,val_macro_f1\n1,x\n", "\x00"])
def test_a_stage_that_has_not_run_says_nothing(
    repository: Path, tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "curves.csv").write_text(text)
    stages = {"fine_tune": tmp_path}
    assert recorded.late_gain(params.load(repository / "params.yaml"), stages) == {}
    assert recorded.val_accuracy(stages) is None
