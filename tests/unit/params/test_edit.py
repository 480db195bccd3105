"""--write: values change, everything else of params.yaml stays."""

import difflib
import shutil
from pathlib import Path
from typing import Any

import pytest

from thawline.errors import UserError
from thawline.params import edit, params_file
from thawline.params.proposal import Proposal


@pytest.fixture
def file(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(repository / "params.yaml", tmp_path))


def proposal(key: str, value: Any) -> Proposal:
    return Proposal(key=key, value=value, rule="r", figure="f")


def test_nothing_proposed_is_not_a_byte_changed(file: Path) -> None:
    before = file.read_bytes()
    edit.write([], file)
    assert file.read_bytes() == before


def test_only_the_lines_of_the_values_change(file: Path) -> None:
    before = file.read_text(encoding="utf-8").splitlines()
    proposals = [
        proposal("fine_tune.trainable", "all"),
        proposal("fine_tune.learning_rate", 0.0001),
        proposal("ingest.near_duplicate_distance", 4),
        proposal("rebalance.strategy", "oversample"),
        proposal("rebalance.options", {"target_ratio": 0.5}),
    ]
    edit.write(proposals, file)
    after = file.read_text(encoding="utf-8").splitlines()
    lines = [d for d in difflib.ndiff(before, after) if d[0] in "+-"]
    assert len(lines) == 2 * len(proposals)
    comments = [line.partition("#")[2] for line in lines]
    assert comments[::2] == comments[1::2]
    loaded = params_file.load(file)
    assert (loaded.fine_tune.trainable, loaded.fine_tune.learning_rate) == ("all", 0.0001)
    assert loaded.rebalance.options == {"target_ratio": 0.5}


def test_values_that_are_not_allowed_leave_the_file_alone(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"/params\.yaml: fine_tune\.epochs"):
        edit.write([proposal("fine_tune.epochs", -1)], file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_the_mode_of_the_file_is_kept(file: Path) -> None:
    file.chmod(0o640)
    edit.write([proposal("fine_tune.epochs", 3)], file)
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_replaced_is_one_message(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    before = file.read_bytes()
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UserError, match=r"params\.yaml: cannot be written: Permission denied"):
        edit.write([proposal("fine_tune.epochs", 3)], file)
    assert file.read_bytes() == before


def test_an_edit_while_advice_is_measured_is_not_overwritten(file: Path) -> None:
    begun = params_file.load(file)
    edit.set_values({"fine_tune.learning_rate": 0.5, "seed": 7}, file)
    before = file.read_bytes()
    proposals = [proposal("fine_tune.epochs", 3), proposal("fine_tune.learning_rate", 0.1)]
    with pytest.raises(
        UserError, match=r"fine_tune\.learning_rate was edited meanwhile, from .*5;"
    ):
        edit.write(proposals, file, before=begun)
    assert file.read_bytes() == before
    edit.write(proposals[:1], file, before=begun)
    assert (params_file.load(file).fine_tune.epochs, params_file.load(file).seed) == (3, 7)
