"""Who was first, by how much, and what a race says of a tool that failed."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peers.race import FailedError, judge, read
from benchmarks.peers.results import OURS, Race, Run, as_json, median, table

RIGHT = np.array([True] * 18 + [False] * 2)


def run(seconds: list[float], accuracies: list[float], right: np.ndarray = RIGHT) -> Run:
    return Run(seconds=seconds, accuracies=accuracies, right=right)


@pytest.fixture
def race() -> Race:
    """Thawline at 0.95 after 5 s, a good tool after 20 s, and a weak one that ends at 0.90."""
    return Race(
        runs={
            OURS: [run([2, 5], [0.90, 0.96]), run([2, 5], [0.90, 0.95])],
            "good": [run([10, 20], [0.80, 0.97]), run([10, 20], [0.80, 0.95])],
            "weak": [run([3, 6], [0.90, 0.85], ~RIGHT), run([3, 6], [0.80, 0.90], ~RIGHT)],
        },
        failed={"broken": "failed: no module"},
    )


def test_the_common_accuracy_is_what_the_weakest_tool_reaches_at_best(race: Race) -> None:
    assert race.targets() == [0.90, 0.90]
    assert race.times(OURS) == [2, 2]
    assert race.times("good") == [20, 20]
    assert race.times("weak") == [3, 6]
    assert race.fastest() == "weak"
    assert race.ratio("weak") == (2.25, 1.5, 3.0)


def test_pair_by_pair_a_weak_tool_does_not_make_it_easy(race: Race) -> None:
    # To 0.96 and 0.95, which Thawline reaches in its last epoch.
    assert race.pair_ratio("good")[0] == 4
    assert race.pair_ratio("weak")[0] == 2.25


def test_a_tool_with_other_weights_has_no_say_but_a_row(race: Race) -> None:
    other = [replace(one, note="from scratch") for one in race.runs["weak"]]
    apart = Race(runs={**race.runs, "weak": other})
    assert apart.peers() == ["good"]
    assert apart.targets() == [0.96, 0.95]
    assert apart.times("weak") == [math.inf, math.inf]
    text = table(apart)
    assert "| weak | not reached | never |" in text
    assert "weak: from scratch" in text
    assert as_json(apart)["tools"]["weak"]["to_target_s"] == [None, None]


def test_differences_are_against_the_most_accurate(race: Race) -> None:
    assert race.most_accurate() == "good"
    assert race.lead("good") == (0, 0, 0)
    assert race.lead("weak")[0] == pytest.approx(0.8)


def test_the_table_has_a_row_for_every_tool_and_columns_for_all(race: Race) -> None:
    lines = [line for line in table(race).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    assert len({line.count("|") for line in lines}) == 1
    assert lines[-1].startswith("| broken | failed: no module |")
    assert "+0.00 (+0.00 to +0.00)" in lines[3]


def test_a_median_lies_within_its_interval() -> None:
    value, low, high = median([1.0, 2.0, 3.0, 4.0, 50.0])
    assert value == 3
    assert low == 1
    assert high == 50
    assert median([2.0]) == (2, 2, 2)


def test_one_failure_takes_a_tool_out() -> None:
    first = {OURS: run([1], [0.5]), "good": run([1], [0.5])}
    second = {**first, "good": FailedError("out of memory")}
    race = judge([first, second])
    assert race.failed == {"good": "failed: out of memory"}
    assert list(race.runs) == [OURS]
    assert "No other tool finished." in table(race)


def test_lines_of_libraries_are_passed_over() -> None:
    output = 'Downloading\n{"seconds": 1.5, "val_accuracy": 0.9}\n{not json}\n'
    assert read(output) == [{"seconds": 1.5, "val_accuracy": 0.9}]
