"""A comparison of tools: what is left to run, and what its tables say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.own_images import estimate, records
from benchmarks.own_images.contest import Clock, due
from benchmarks.own_images.plot import accuracy_over_time
from benchmarks.own_images.records import OURS, Record, Run
from benchmarks.own_images.report import (
    about_seconds,
    best_rows,
    overview,
    paired,
    shipped,
    table,
)
from benchmarks.own_images.running import points
from benchmarks.own_images.with_thawline import forecast, stage_ends
from benchmarks.peers.race import FailedError
from thawline.plots import style

LABELS = [0, 1] * 50


def record(tool: str, size_px: int | None, seed: int, wrong: int, name: str = "digits") -> Record:
    predicted = [1 - label if n < wrong else label for n, label in enumerate(LABELS)]
    return Record(
        run=Run(set_name=name, tool=tool, size_px=size_px, seed=seed),
        points=[(10.0, 0.5), (20.0 + seed, 1 - wrong / 100)],
        predicted=predicted, labels=LABELS, train=300, wall_s=30.0, cpu_s=40.0, load=1.0,
    )  # fmt: skip


@pytest.fixture
def found() -> list[Record]:
    return [
        record(OURS, None, 0, 4), record(OURS, None, 1, 6),
        record("recipe", 64, 0, 30), record("recipe", 64, 1, 30),
        record("recipe", 224, 0, 8), record("recipe", 224, 1, 10),
        record("logistic", 128, 0, 2),
    ]  # fmt: skip


def test_a_run_whose_record_is_there_is_not_done_again(tmp_path: Path) -> None:
    runs = records.planned(["digits", "cards"], [OURS, "fastai", "logistic"], [64, 128], 2)
    # Of each set one of ours and two of fastai with each seed, two of logistic with the first.
    assert len(runs) == 2 * (2 * 3 + 2)
    done = record("fastai", 64, 1, 5)
    done.write(tmp_path)
    left = records.left(runs, tmp_path)
    assert set(runs) - set(left) == {done.run}
    assert records.left([done.run], tmp_path) == []


def test_a_record_comes_back_as_it_was_written(tmp_path: Path, found: list[Record]) -> None:
    for one in found:
        one.write(tmp_path)
    again = records.read_all(tmp_path)
    assert sorted(again, key=repr) == sorted(found, key=repr)
    assert not list(tmp_path.glob("*/*.part"))


def test_a_tool_stands_at_its_best_size(found: list[Record]) -> None:
    rows = best_rows(found)["digits"]
    assert list(rows) == [OURS, "recipe", "logistic"]
    assert (rows["recipe"].size_px, rows["recipe"].accuracy) == (224, pytest.approx(0.91))
    assert rows["recipe"].seconds == 20.5


def test_differences_are_paired_over_seeds_and_rows(found: list[Record]) -> None:
    rows = best_rows(found)["digits"]
    value, low, high = paired(rows[OURS], rows["recipe"]) or (0, 0, 0)
    assert value == pytest.approx(0.04)
    assert 0 <= low < value < high
    # Without a seed of its own: against each of ours.
    value, low, high = paired(rows[OURS], rows["logistic"]) or (0, 0, 0)
    assert value == pytest.approx(-0.03)
    assert paired(rows[OURS], best_rows([record("fastai", 64, 7, 0)])["digits"]["fastai"]) is None


def test_tables_hold_every_tool_and_the_highest_in_bold(found: list[Record]) -> None:
    rows = best_rows([*found, record("fastai", 64, 0, 50, "cards")])
    assert overview(rows).splitlines()[2:] == [
        "| cards |  | **50.0** |  |  |",
        "| digits | 95.0 |  | 91.0 | **98.0** |",
    ]
    lines = table(rows).splitlines()
    assert len(lines) == 2 + 4
    assert "| cards | fastai fine_tune(8) | 64 px | 50.0 % |  | 20 | 1 |" in lines
    assert any("| 224 px | 91.0 % | +4.0 (" in line for line in lines)


def test_seconds_of_a_busy_machine_are_called_so(found: list[Record]) -> None:
    assert "busy" not in about_seconds(found, cores=2)
    busy = [replace(record, load=6.0, whole_s=99.0) for record in found]
    assert "load 6.0 on 2 cores" in about_seconds(busy, cores=2)
    assert "takes 99 s in the median" in about_seconds(busy, cores=2)


def test_what_shipped_is_counted_and_forecasts_are_checked(found: list[Record]) -> None:
    part = {"parameters": 0.2, "macs": 0.5, "tuned": 1.0, "refit": 0.0}
    told = [
        replace(record, shipped=part | {"forecast_low": 0.0, "forecast_high": high})
        for record, high in zip(
            (record for record in found if record.run.tool == OURS), (0.1, 1.0), strict=False
        )
    ]
    lines = shipped(best_rows(told)).splitlines()
    assert len(told) == 2
    assert "| 20 % | 50 % | 2 of 2 | 0.0 to 10.0 % | 1 of 2 |" in lines[2]
    assert lines[-1] == "The forecast held in 1 of 2 runs."


def test_the_forecast_is_read_from_what_was_said() -> None:
    first = "first answer in models/transfer_learn: 95.9 % (88.3 to 98.6) of left-out images"
    assert forecast(f"{first}; fine_tune will keep it") == pytest.approx((0.883, 0.986))
    assert forecast(f"{first}; expected in the end: 88.3 to 99.9 %, after") == pytest.approx(
        (0.883, 0.999)
    )


def test_the_picture_is_drawn_of_all_tools(found: list[Record]) -> None:
    drawn = accuracy_over_time("digits", found)
    assert len(drawn.axes[0].get_lines()) == 4
    assert style.png(drawn) == style.png(accuracy_over_time("digits", found))


def test_looking_at_the_test_images_is_not_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr("benchmarks.own_images.contest.time.time", lambda: now)
    clock = Clock(np.array([0, 1]))
    now = 103.0
    with clock.paused():
        now = 150.0
    now = 151.0
    clock.point(np.array([0, 0]))
    assert json.loads(capsys.readouterr().out) == {"seconds": 4.0, "accuracy": 0.5}
    assert [epoch for epoch in range(1, 16) if due(epoch, 15)] == [1, 2, 4, 8, 15]


def test_points_are_by_time_and_none_is_a_failure() -> None:
    said = [{"whole_s": 9.0}, {"seconds": 5.0, "accuracy": 0.6}, {"seconds": 2.0, "accuracy": 0.4}]
    assert points(said) == [(2.0, 0.4), (5.0, 0.6)]
    with pytest.raises(FailedError):
        points(said[:1])


def test_what_only_reports_is_not_the_end_of_training() -> None:
    starts = [("ingest", 1.0), ("fine_tune", 4.0), ("evaluate", 20.0)]
    assert stage_ends(starts, 30.0) == {"ingest": 4.0, "fine_tune": 20.0}
    assert stage_ends([], 30.0) == {"run": 30.0}


def test_an_estimate_follows_what_such_runs_took() -> None:
    run = Run(set_name="cards", tool="recipe", size_px=64, seed=0)
    rough = estimate.seconds(run, 300, 100, [])
    known = [record("recipe", 64, 0, 0)]
    assert estimate.seconds(run, 300, 100, known) == pytest.approx(30.0)
    assert estimate.seconds(run, 3000, 1000, known) > 30.0
    assert rough == estimate.seconds(run, 300, 100, [record("recipe", 224, 0, 0)])
    assert (estimate.worded(1200), estimate.worded(7200)) == ("20 min", "2.0 h")
