"""Compare two samples by several tests, and report the answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thawline.metrics.multiple_tests import adjust
from thawline.monitoring import two_sample
from thawline.monitoring.sample import STATISTICS, Sample
from thawline.runtime.escape import markdown

_MAX_CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Result of one test.

    Attributes:
        size: size of the difference, on the scale that `measure` names.
        p_value: adjusted by Holm's method for all questions of the report.
    """

    question: str
    measure: str
    size: float
    p_value: float


def ask(reference: Sample, new: Sample, rng: np.random.Generator) -> list[Answer]:
    """Compare predicted classes, all probabilities, and each statistic of the images."""
    num_classes = reference.probabilities.shape[1]
    asked = [
        (
            "predicted classes",
            "largest change of a share",
            two_sample.counts(reference.predicted, new.predicted, num_classes, rng),
        ),
        (
            "probabilities",
            "squared MMD",
            two_sample.mmd(reference.probabilities, new.probabilities, rng),
        ),
    ]
    for column, name in enumerate(STATISTICS):
        found = two_sample.kolmogorov_smirnov(reference.looks[:, column], new.looks[:, column], rng)
        asked.append((name, "Kolmogorov-Smirnov distance", found))
    adjusted = adjust([p for _, _, (_, p) in asked])
    return [
        Answer(question=question, measure=measure, size=size, p_value=p)
        for (question, measure, (size, _)), p in zip(asked, adjusted, strict=True)
    ]


def drifted(answers: Sequence[Answer], alpha: float) -> list[Answer]:
    return [answer for answer in answers if answer.p_value <= alpha]


def report(
    answers: Sequence[Answer],
    reference: Sample,
    new: Sample,
    *,
    classes: Sequence[str],
    alpha: float,
    num_bad: int,
    split: str = "validation",
) -> str:
    """Format the report as Markdown: the verdict, each question, then classes and looks."""
    found = drifted(answers, alpha)
    names = ", ".join(answer.question for answer in found)
    verdict = f"**Drift** in {names}." if found else "**No drift found.**"
    lines = [
        "# New images against the data the model was made with",
        "",
        f"{verdict} {len(new):,} new images ({new.num_seen:,} seen, {num_bad:,} unusable) against "
        f"{len(reference):,} {split} images; chance of a false alarm {alpha:g}.",
        "",
        "| question | measure | difference | adjusted p | |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {a.question} | {a.measure} | {a.size:.4f} | {a.p_value:.4f} "
        f"| {'drift' if a in found else ''} |"
        for a in answers
    ]
    return "\n".join([*lines, *_shares(reference, new, classes), *_looks(reference, new), ""])


def _shares(reference: Sample, new: Sample, classes: Sequence[str]) -> list[str]:
    """Tabulate the classes whose share changed the most."""
    before, after = (
        np.bincount(sample.predicted, minlength=len(classes)) / len(sample)
        for sample in (reference, new)
    )
    most = np.argsort(-np.abs(after - before), kind="stable")[:_MAX_CLASSES]
    rows = [
        f"| {markdown(classes[k], 40)} | {100 * before[k]:.1f} % | {100 * after[k]:.1f} % |"
        for k in most
    ]
    return ["", "| predicted class | before | now |", "|---|---|---|", *rows]


def _looks(reference: Sample, new: Sample) -> list[str]:
    before, after = (np.median(sample.looks, axis=0) for sample in (reference, new))
    rows = [f"| {name} | {before[k]:.1f} | {after[k]:.1f} |" for k, name in enumerate(STATISTICS)]
    return ["", "| median of | before | now |", "|---|---|---|", *rows]
