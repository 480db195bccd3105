"""Which runs are beaten by none."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thawline.plots import style
from thawline.plots.pareto import FinishedRun, front, picture

NUMBERS = st.tuples(st.integers(1, 5), st.integers(0, 5), st.booleans())


def run(
    latency_ms: float, accuracy: float, comparable: bool = True, name: str = "a"
) -> FinishedRun:
    return FinishedRun(
        name=name, accuracy=accuracy, latency_ms=latency_ms, size_mb=1.0, comparable=comparable
    )


def beats(one: FinishedRun, other: FinishedRun) -> bool:
    no_worse = one.latency_ms <= other.latency_ms and one.accuracy >= other.accuracy
    return no_worse and (one.latency_ms, one.accuracy) != (other.latency_ms, other.accuracy)


@given(st.lists(NUMBERS, max_size=12))
def test_the_front_is_what_no_comparable_run_beats(numbers: list[tuple[int, int, bool]]) -> None:
    runs = [run(latency, accuracy / 5, known) for latency, accuracy, known in numbers]
    found = [runs[at] for at in front(runs)]
    known = [one for one in runs if one.comparable]
    best = {
        (one.latency_ms, one.accuracy)
        for one in known
        if not any(beats(other, one) for other in known)
    }
    assert {(one.latency_ms, one.accuracy) for one in found} == best
    assert len(found) == len(best)
    assert [one.latency_ms for one in found] == sorted(one.latency_ms for one in found)


def test_the_picture_is_drawn_for_one_run_and_for_many(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ("$x$", "a\nb", "w" * 80)
    many = [
        FinishedRun(
            name=names[i % 3], accuracy=float(rng.random()), latency_ms=float(rng.random() + 0.1),
            size_mb=float(rng.random() + 0.1), comparable=i % 4 > 0, marked=i == 7,
        )
        for i in range(60)
    ]  # fmt: skip
    for runs in (many[7:8], many):
        style.save(picture(runs, "a processor"), tmp_path / "pareto.png")
        assert (tmp_path / "pareto.png").stat().st_size > 5000
