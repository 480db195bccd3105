"""Summarise the trials of a study: scores and costs of each contender, and the verdicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from thawline.metrics.pareto import non_dominated
from thawline.studies import verdict
from thawline.studies.plan import Claim, Study
from thawline.studies.records import TrialRecord
from thawline.studies.scores import ScoredRows
from thawline.studies.verdict import ClaimVerdict, Pairs

COSTS = ("latency_ms", "throughput_per_s", "peak_memory_mb", "size_mb", "parameters", "macs")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One contender.

    Attributes:
        values: values of the deciding measure, by seed.
        costs: known ones of COSTS.
        failed: number of trials that failed or were pruned.
        rare_recall: mean over the seeds; NaN where no trial is complete.
    """

    label: str
    values: Mapping[int, float]
    costs: Mapping[str, float]
    failed: int
    rare_recall: float = math.nan

    @property
    def mean(self) -> float:
        return _mean(list(self.values.values()))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds; NaN for fewer than two."""
        return (
            float(np.std(list(self.values.values()), ddof=1)) if len(self.values) > 1 else math.nan
        )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One study."""

    study: Study
    lines: Sequence[Line]
    claims: Sequence[Claim]
    pairs: Sequence[Pairs]
    verdicts: Sequence[ClaimVerdict]
    failures: Sequence[tuple[str, str]]
    """Contender with its seed, and why its trial ended early."""

    @property
    def complete(self) -> int:
        return sum(len(line.values) for line in self.lines)

    @property
    def line(self) -> str:
        """The study's outcome in one line."""
        decided = sum(v.state != "not decided" for v in self.verdicts)
        claims = f", {decided} of {len(self.verdicts)} claims decided" if self.verdicts else ""
        failed = f", {len(self.failures)} failed or pruned" if self.failures else ""
        return f"{self.study.name}: {self.complete} trials complete{failed}{claims}"

    @property
    def numbers(self) -> dict[str, float]:
        """Figures for MLflow; keys allow few characters, so they hold no contender's name."""
        found = {
            "trials.complete": float(self.complete),
            "trials.failed": float(len(self.failures)),
        }
        for number, judged in enumerate(self.verdicts):
            for name in ("mean", "low", "high"):
                if not math.isnan(value := getattr(judged, name)):
                    found[f"claim.{number}.{name}"] = value
        return found


def summarise(study: Study, records: Sequence[TrialRecord]) -> Summary:
    """Summarise the records of a study; its claims are judged as one family."""
    pairs = [_pair(study, claim, records) for claim in study.claims]
    summary = Summary(
        study=study,
        lines=[_line(study, label, records) for label in _labels(study, records)],
        claims=study.claims,
        pairs=pairs,
        verdicts=[],
        failures=[
            (f"{r.contender}, seed {r.seed}", f"{r.state}: {r.message}")
            for r in records
            if r.state != "complete"
        ],
    )
    return judged_together([summary])[0]


def judged_together(summaries: Sequence[Summary]) -> list[Summary]:
    """Judge the claims of all studies as one family, for a report of all."""
    found = iter(
        verdict.judge(
            [p for s in summaries for p in s.pairs],
            [c.expect for s in summaries for c in s.claims],
            [s.study.definition.smallest_effect for s in summaries for _ in s.claims],
        )
    )
    return [replace(s, verdicts=[next(found) for _ in s.claims]) for s in summaries]


def front(lines: Sequence[Line]) -> set[str]:
    """List the labels that no other one beats in accuracy, latency and size at once."""
    asked = [
        line for line in lines if line.values and {"latency_ms", "size_mb"} <= line.costs.keys()
    ]
    costs = [(-line.mean, line.costs["latency_ms"], line.costs["size_mb"]) for line in asked]
    on_front = non_dominated(np.array(costs, np.float64).reshape(-1, 3))
    return {line.label for line, kept in zip(asked, on_front, strict=True) if kept}


def _labels(study: Study, records: Sequence[TrialRecord]) -> list[str]:
    found = [contender.label for contender in study.contenders]
    return found or list(dict.fromkeys(record.contender for record in records))


def _line(study: Study, label: str, records: Sequence[TrialRecord]) -> Line:
    own = [record for record in records if record.contender == label]
    known: dict[str, float] = {}
    for record in own:
        known |= {**record.values, **record.costs}
    score = f"val_{study.definition.score}"
    complete = [record for record in own if record.state == "complete"]
    return Line(
        label=label,
        values={record.seed: record.values[score] for record in complete},
        costs={name: known[name] for name in COSTS if name in known},
        failed=len(own) - len(complete),
        rare_recall=_mean([record.values["val_rare_recall"] for record in complete]),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _pair(study: Study, claim: Claim, records: Sequence[TrialRecord]) -> Pairs:
    return verdict.pair_rows(
        study.definition.score, _rows(claim.baseline, records), _rows(claim.contender, records)
    )


def _rows(label: str, records: Sequence[TrialRecord]) -> dict[int, ScoredRows]:
    own = (r for r in records if r.contender == label and r.state == "complete")
    return {record.seed: record.rows for record in own if record.rows is not None}
