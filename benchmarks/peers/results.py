"""From what each racer said to a table: who reached which accuracy when. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.paired import difference
from thawline.plots.quantities import percent

OURS = "Thawline"
_RESAMPLES = 10_000
_HEAD = (
    "tool", "to the common accuracy, s", "times Thawline's", "the same, to what the two reach",
    "all epochs, s", "best validation accuracy", "test accuracy", "Thawline - it, points (95 %)",
)  # fmt: skip

Interval = tuple[float, float, float]
"""A value, and the limits of its 95 % interval."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One tool with one seed.

    Attributes:
        seconds, accuracies: when each epoch had been judged, and validation accuracy in [0, 1].
        right: whether each test image was, bool (N,).
        prepared_s: of the seconds those before training began.
        note: how its start differs, for a tool with other weights.
    """

    seconds: Sequence[float]
    accuracies: Sequence[float]
    right: np.ndarray
    prepared_s: float = 0.0
    note: str = ""

    def best(self) -> float:
        return max(self.accuracies)

    def time_to(self, accuracy: float) -> float:
        """Until the first epoch with that validation accuracy; infinite if there is none."""
        reached = zip(self.seconds, self.accuracies, strict=True)
        return next((s for s, a in reached if a >= accuracy - 1e-9), math.inf)


@dataclass(frozen=True, kw_only=True)
class Race:
    """Attributes:
    runs: of each tool that finished with every seed, one per seed, in the order of the seeds.
    failed: the other tools and why.
    """

    runs: Mapping[str, Sequence[Run]]
    failed: Mapping[str, str] = field(default_factory=dict)

    def peers(self) -> list[str]:
        """Without those that start from other weights, which have no say in what is aimed at."""
        return [name for name in self.runs if name != OURS and not self.note(name)]

    def note(self, name: str) -> str:
        return self.runs[name][0].note

    def targets(self) -> list[float]:
        """Per seed the highest validation accuracy that all with the common weights reach."""
        counted = [self.runs[name] for name in (OURS, *self.peers())]
        return [min(run.best() for run in of_seed) for of_seed in zip(*counted, strict=True)]

    def times(self, name: str) -> list[float]:
        return [
            run.time_to(goal) for run, goal in zip(self.runs[name], self.targets(), strict=True)
        ]

    def fastest(self) -> str:
        return min(self.peers(), key=lambda name: statistics.median(self.times(name)))

    def most_accurate(self) -> str:
        return max(self.peers(), key=self.test_accuracy)

    def test_accuracy(self, name: str) -> float:
        return float(np.mean([run.right.mean() for run in self.runs[name]]))

    def ratio(self, name: str) -> Interval:
        """Its time to the common accuracy over Thawline's."""
        return median(_over(self.times(name), self.times(OURS)))

    def pair_ratio(self, name: str) -> Interval:
        """The same, to the accuracy that the two of them reach."""
        pairs = list(zip(self.runs[name], self.runs[OURS], strict=True))
        goals = [min(theirs.best(), ours.best()) for theirs, ours in pairs]
        ended = [
            (theirs.time_to(goal), ours.time_to(goal))
            for (theirs, ours), goal in zip(pairs, goals, strict=True)
        ]
        return median(_over(*map(list, zip(*ended, strict=True))))

    def lead(self, name: str) -> Interval:
        """Thawline's test accuracy less its, by seeds and rows."""
        ours, theirs = (np.stack([run.right for run in self.runs[n]]) for n in (OURS, name))
        return difference(ours, theirs)


def _over(theirs: Sequence[float], ours: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(theirs, ours, strict=True)]


def median(values: Sequence[float]) -> Interval:
    """With a bootstrap over the values: of one seed both limits are the value."""
    drawn = np.random.default_rng(0).choice(values, (_RESAMPLES, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975], method="nearest")
    return float(np.median(values)), float(low), float(high)


def table(race: Race) -> str:
    """Markdown, and two lines on what has to be beaten."""
    lines = [_HEAD, ("---", *("---:" for _ in _HEAD[1:]))]
    lines += [_row(race, name) for name in race.runs]
    lines += [(name, why, *("" for _ in _HEAD[2:])) for name, why in race.failed.items()]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    notes = [f"{name}: {note}." for name in race.runs if (note := race.note(name))]
    return "\n".join([*rows, "", *notes, *_verdict(race)])


def _row(race: Race, name: str) -> tuple[str, ...]:
    runs, ours = race.runs[name], name == OURS
    prepared = statistics.median(run.prepared_s for run in runs)
    took = _seconds(statistics.median(race.times(name)))
    return (
        name,
        f"{took}, of it {prepared:.1f} before training" if prepared else took,
        "" if ours else _times(race.ratio(name)),
        "" if ours or race.note(name) else _times(race.pair_ratio(name)),
        _seconds(statistics.median(run.seconds[-1] for run in runs)),
        percent(statistics.median(run.best() for run in runs)),
        f"{100 * race.test_accuracy(name):.2f} %",
        "" if ours else _points(race.lead(name)),
    )


def _verdict(race: Race) -> list[str]:
    if not race.peers():
        return ["No other tool finished."]
    fastest, best = race.fastest(), race.most_accurate()
    pairs = min(race.peers(), key=lambda name: race.pair_ratio(name)[0])
    return [
        f"Common accuracy, by seed: {', '.join(percent(goal) for goal in race.targets())}.",
        f"Over the fastest, {fastest}: {_times(race.ratio(fastest))}; pair by pair at least "
        f"{_times(race.pair_ratio(pairs))}, {pairs}.",
        f"Against the most accurate, {best}: {_points(race.lead(best))} points.",
    ]


def as_json(race: Race) -> dict[str, Any]:
    if not race.peers():
        return {"failed": dict(race.failed)}
    return {
        "targets": race.targets(),
        "fastest": race.fastest(),
        "most_accurate": race.most_accurate(),
        "failed": dict(race.failed),
        "tools": {name: _of_tool(race, name) for name in race.runs},
    }


def _of_tool(race: Race, name: str) -> dict[str, Any]:
    runs = race.runs[name]
    return {
        # JSON has no infinity.
        "to_target_s": [None if math.isinf(s) else s for s in race.times(name)],
        "seconds": [list(run.seconds) for run in runs],
        "val_accuracies": [list(run.accuracies) for run in runs],
        "note": race.note(name),
        "prepared_s": [run.prepared_s for run in runs],
        "test_accuracies": [float(run.right.mean()) for run in runs],
        "lead": race.lead(name),
    }


def _seconds(value: float) -> str:
    return "not reached" if math.isinf(value) else f"{value:.1f}"


def _times(found: Interval) -> str:
    value, low, high = found
    return "never" if math.isinf(value) else f"{value:.2f}x ({low:.2f} to {high:.2f})"


def _points(found: Interval) -> str:
    value, low, high = (100 * part for part in found)
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
