"""Decide on unseen test rows whether a version may replace the champion."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from mlflow.entities.model_registry import ModelVersion

from thawline.dataset.manifest import Manifest
from thawline.metrics.hypothesis_tests import PairedTest, compare
from thawline.params.schema.results import Budget, Gate
from thawline.params.schema.whole import Params
from thawline.prediction.model import Predictor
from thawline.registry import promotions, rescoring, test_sets, versions
from thawline.registry.promotions import SET_ASIDE_TAG
from thawline.registry.training_fingerprint import FILE, TrainingFingerprint
from thawline.registry.versions import CHAMPION
from thawline.runtime.escape import visible
from thawline.runtime.output_paths import INGEST
from thawline.tracking import closing
from thawline.tracking.store import TAG_LENGTH, Store, as_text

OUTCOME, REASON = "thawline.gate", "thawline.gate.reason"
_KEY, _TEST_SET = "thawline.gate.key", "thawline.test_set"
Outcome = Literal["champion", "passed", "failed", "undecided", "refused", "set aside"]


@dataclass(frozen=True, kw_only=True)
class GateVerdict:
    """Decision of the gate.

    Attributes:
        reasons: lines for the user, at least one.
        looks: number of models that have been scored on this test set so far.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    comparison: PairedTest | None = None
    looks: int = 0


def decide(store: Store, checked: Params, version: ModelVersion, model: Path) -> GateVerdict:
    """Compare once, record the result on the version, and move `champion` if it passed.

    The same model against the same champion, on the same test set and by the same rules, is not
    scored again. What a person set aside by `promote` or `rollback` stays aside.

    Args:
        store: the MLflow store.
        checked: the parameters.
        version: the version to decide on.
        model: folder of the version's model; models/compress may hold another one by now.
    """
    name, number = version.name, str(version.version)
    champion = versions.aliases(store, name).get(CHAMPION)
    if champion == number:
        return GateVerdict(outcome="champion", reasons=("it is the champion",))
    if why := version.tags.get(SET_ASIDE_TAG):
        return GateVerdict(outcome="set aside", reasons=(f"set aside by {why}",))
    contest = _Contest(store, checked, version, champion, model)
    verdict = contest.remembered() or contest.judge()
    if verdict.outcome == "passed":
        promotions.move(
            store, name, number, by=promotions.GATE, reason="; ".join(verdict.reasons),
            metrics=numbers(verdict),
        )  # fmt: skip
    return verdict


def misses(budget: Budget, metrics: Mapping[str, float]) -> list[str]:
    """List where the compressed model is outside the budget; a missing figure is a miss."""
    limits = (
        ("min_accuracy", "compress.accuracy", -1.0),
        ("max_latency_ms", "compress.latency_ms", 1.0),
        ("max_size_mb", "compress.size_mb", 1.0),
    )
    found = []
    for key, metric, sign in limits:
        limit, value = getattr(budget, key), metrics.get(metric)
        if limit is not None and (value is None or sign * (value - limit) > 0):
            shown = "not measured" if value is None else f"{value:g}"
            found.append(f"budget.{key}: {limit:g}, {metric} is {shown}")
    return found


def objections(found: PairedTest, rules: Gate, classes: tuple[str, ...]) -> list[str]:
    """List why the challenger may not replace the champion; none if it may."""
    problems = []
    if found.low < -rules.max_drop:
        problems.append(
            f"gate.max_drop: {rules.max_drop:g}; accuracy may be {-found.low:.4f} lower"
        )
    for label in np.flatnonzero(found.recall_drop > rules.max_recall_drop)[:5]:
        problems.append(
            f"gate.max_recall_drop: {rules.max_recall_drop:g}; of "
            f"{visible(classes[label], 40)!r} it recalls {found.recall_drop[label]:.3f} less"
        )
    return problems


def numbers(verdict: GateVerdict) -> dict[str, float]:
    """Collect the figures of the comparison for MLflow; empty without one."""
    found = verdict.comparison
    if found is None:
        return {}
    return {
        "rows": found.num_rows,
        "challenger_accuracy": found.challenger,
        "champion_accuracy": found.champion,
        "difference": found.difference,
        "difference_low": found.low,
        "difference_high": found.high,
        "mcnemar_p": found.p_value,
        "largest_recall_drop": float(found.recall_drop.max()),
        "looks": verdict.looks,
    }


class _Contest:
    """One version against one champion, or without one."""

    def __init__(
        self,
        store: Store,
        checked: Params,
        version: ModelVersion,
        champion: str | None,
        model: Path,
    ) -> None:
        self._store, self._params, self._version = store, checked, version
        self._champion, self._model = champion, model
        self._manifest = Manifest.read(INGEST)
        self._test_set = test_sets.digest(self._manifest)
        self._misses = misses(checked.budget, closing.final_metrics())

    def remembered(self) -> GateVerdict | None:
        """Return the decision on the very same contest from before, or None."""
        tags = self._version.tags
        if tags.get(_KEY) != self._key() or OUTCOME not in tags:
            return None
        reasons = tuple(tags[REASON].split("\n"))
        return GateVerdict(
            outcome=tags[OUTCOME],
            reasons=reasons,
            looks=test_sets.looks(self._store, self._version.name, self._test_set),
        )

    def judge(self) -> GateVerdict:
        verdict = self._judge()
        self._note({_TEST_SET: self._test_set, REASON: "\n".join(verdict.reasons)})
        self._note({OUTCOME: verdict.outcome, _KEY: self._key()})  # last: now it is remembered
        return verdict

    def _judge(self) -> GateVerdict:
        if self._misses:
            return GateVerdict(outcome="failed", reasons=tuple(self._misses))
        if self._champion is None:
            return GateVerdict(outcome="passed", reasons=("the first one within the budget",))
        champion = self._store.client.get_model_version(self._version.name, self._champion)
        folder = versions.files(self._store, champion)
        before, challenger = Predictor(folder), Predictor(self._model)
        if sorted(before.classes) != sorted(challenger.classes):
            return GateVerdict(outcome="refused", reasons=(_other_classes(before, challenger),))
        if not (folder / FILE).is_file():
            why = f"version {self._champion} has no record of what it was trained on"
            return GateVerdict(outcome="undecided", reasons=(why,))
        test = self._manifest.rows("test")
        known = TrainingFingerprint.read(folder / FILE).knows(self._manifest, test)
        return self._compared(before, challenger, test[~known])

    def _compared(self, before: Predictor, challenger: Predictor, rows: np.ndarray) -> GateVerdict:
        p, manifest = self._params, self._manifest
        if len(rows) < p.gate.min_rows:
            return GateVerdict(outcome="undecided", reasons=(self._too_few(len(rows)),))
        ours, theirs = (
            rescoring.predicted(
                model, manifest, rows, images=INGEST, ingest=p.ingest, threads=p.training.threads
            )
            for model in (challenger, before)
        )
        had = (ours != rescoring.UNKNOWN) & (theirs != rescoring.UNKNOWN)
        if had.sum() < p.gate.min_rows:
            return GateVerdict(outcome="undecided", reasons=(self._too_few(int(had.sum())),))
        found = compare(
            ours[had], theirs[had], manifest.labels[rows[had]],
            num_classes=len(manifest.classes), rng=np.random.default_rng(p.seed),
            confidence=p.gate.confidence, resamples=p.evaluate.bootstrap_samples,
        )  # fmt: skip
        looks = test_sets.count_look(self._store, self._version.name, self._test_set)
        problems = objections(found, p.gate, manifest.classes)
        reasons = (*problems, self._summary(found, looks))
        outcome: Outcome = "failed" if problems else "passed"
        return GateVerdict(outcome=outcome, reasons=reasons, comparison=found, looks=looks)

    def _summary(self, found: PairedTest, looks: int) -> str:
        changed = self._champions_test_set() not in (None, self._test_set)
        return (
            f"{_credibly(found)}: {100 * found.challenger:.2f} % against "
            f"{100 * found.champion:.2f} % of version {self._champion} on {found.num_rows} rows "
            "that neither was trained on"
            f"{', of a test set that has changed since' if changed else ''}: "
            f"{100 * found.difference:+.2f} points, {100 * self._params.gate.confidence:g} % "
            f"interval {100 * found.low:+.2f} to {100 * found.high:+.2f}; McNemar p = "
            f"{found.p_value:.2g}, {found.wins} won, {found.losses} lost, look {looks} at this set"
        )

    def _too_few(self, number: int) -> str:
        return (
            f"gate.min_rows: {self._params.gate.min_rows}; there are {number} test rows that "
            f"neither this model nor version {self._champion} was trained or tuned on"
        )

    def _champions_test_set(self) -> str | None:
        champion = self._store.client.get_model_version(self._version.name, self._champion)
        found = champion.tags.get(_TEST_SET)
        return str(found) if found else None

    def _note(self, tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            self._store.client.set_model_version_tag(
                self._version.name, self._version.version, key, as_text(value, TAG_LENGTH)
            )

    def _key(self) -> str:
        """Hash all that a decision depends on besides the model itself."""
        rules = self._params.gate.model_dump_json()
        text = json.dumps([self._champion, self._test_set, rules, self._misses])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _credibly(found: PairedTest) -> str:
    if found.low > 0:
        return "credibly better"
    return "credibly worse" if found.high < 0 else "no credible difference"


def _other_classes(before: Predictor, challenger: Predictor) -> str:
    gone = sorted(set(before.classes) - set(challenger.classes))
    new = sorted(set(challenger.classes) - set(before.classes))
    listed = [f"{word} {', '.join(visible(n, 40) for n in names[:5])}{' ...' * (len(names) > 5)}"
              for word, names in (("gone:", gone), ("new:", new)) if names]  # fmt: skip
    return f"the champion has other classes ({'; '.join(listed)}): not comparable"
