"""A limit of minutes in which nothing can be answered is refused before any work."""

import difflib
import shutil
from pathlib import Path

import pytest

from tests.unit.advice.conftest import with_values
from thawline.advice import time_budget
from thawline.errors import UserError
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.pipeline import run
from thawline.training.time_plan import DENSE, DEPTHWISE


@pytest.fixture
def read(repository: Path) -> Params:
    return params_file.load(repository / "params.yaml")


def limited(read: Params, minutes: float | None, folder: Path | None = None) -> Params:
    values: dict[str, object] = {time_budget.KEY: minutes}
    if folder is not None:
        values |= {"ingest.source": "folder", "ingest.path": str(folder)}
    return with_values(read, values)


def images(folder: Path, number: int) -> Path:
    (folder / "a" / "deep").mkdir(parents=True)
    for i in range(number):
        (folder / "a" / "deep" / f"{i}.JPG").touch()
    for name in ("notes.txt", ".hidden.png"):
        (folder / "a" / name).touch()
    return folder


def test_nothing_is_refused_without_a_limit(read: Params) -> None:
    time_budget.check(limited(read, None))


def test_a_hundredth_of_a_minute_is_refused_with_the_least(read: Params) -> None:
    with pytest.raises(UserError) as refused:
        time_budget.check(limited(read, 0.01))
    assert str(refused.value) == (
        "params.yaml: budget.max_minutes: 0.01 is too little for a first answer: start-up takes "
        "about 10 s with 2 threads; allowed: at least 0.17, or null"
    )
    time_budget.check(limited(read, 0.17))


def test_images_of_a_folder_are_counted_by_their_names(read: Params, tmp_path: Path) -> None:
    assert time_budget.count_images(limited(read, 1.0, images(tmp_path, 30))) == 30
    assert time_budget.count_images(read) == 0


def test_many_images_need_more(
    read: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_budget, "_count_network", lambda _: (4e8, DEPTHWISE))
    monkeypatch.setattr(time_budget, "count_images", lambda _: 30_000)
    with pytest.raises(UserError, match=r"30,000 images and one pass of tf_.*560 s.*least 9\.33,"):
        time_budget.check(limited(read, 5.0, tmp_path))
    time_budget.check(limited(read, 9.33, tmp_path))
    monkeypatch.setattr(time_budget, "_count_network", lambda _: (4e8, DENSE))
    time_budget.check(limited(read, 5.0, tmp_path))


@pytest.mark.slow
def test_the_network_is_counted_in_another_process(read: Params) -> None:
    assert time_budget._count_network(read) == (pytest.approx(31.3e6, rel=0.01), DEPTHWISE)
    resnet = with_values(read, {"model.family": "resnet", "model.name": "resnet18"})
    assert time_budget._count_network(resnet)[1] is DENSE
    unknown = with_values(read, {"model.name": "no_such_network"})
    assert time_budget._count_network(unknown) == (0.0, DENSE)


def test_a_limit_is_checked_like_those_of_the_file(read: Params) -> None:
    assert time_budget.with_limit(read, 10.0).budget.max_minutes == 10.0
    with pytest.raises(UserError, match=r"budget\.max_minutes: -1"):
        time_budget.with_limit(read, -1.0)


def test_it_is_written_into_the_file_and_said(
    repository: Path, read: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(shutil.copy(repository / "params.yaml", tmp_path))
    before = file.read_text(encoding="utf-8").splitlines()
    time_budget.write(read, 10.0, file)
    assert capsys.readouterr().out.endswith(
        "params.yaml: budget.max_minutes is set to 10; it was null\n"
    )
    after = file.read_text(encoding="utf-8").splitlines()
    lines = [d for d in difflib.ndiff(before, after) if d[0] in "+-"]
    assert len(lines) == 2
    assert params_file.load(file).budget.max_minutes == 10.0
    time_budget.write(params_file.load(file), 10.0, file)
    assert capsys.readouterr().out == ""


def test_a_run_that_is_refused_leaves_the_file_alone(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(shutil.copy(repository / "params.yaml", tmp_path))
    before = file.read_bytes()
    (tmp_path / "data").mkdir()
    for name in ("none", "label_fixes.csv", "holdout.csv"):
        (tmp_path / "data" / name).touch()
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="too little for a first answer"):
        run.run(minutes=0.01)
    assert file.read_bytes() == before
