"""Draw the figures and lists of the report from the final checkpoint's predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from matplotlib.figure import Figure

from thawline.compress import curve
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.evaluation import head_groups
from thawline.evaluation.evaluate_checkpoint import Judged
from thawline.plots import class_sizes, risk_coverage, style
from thawline.report import charts, depth_profile, frozen_blocks, gallery, pruning_curve
from thawline.report.markdown import ClassScore, Mistake, ReportFigure
from thawline.runtime.escape import escape
from thawline.training import curves, trained_blocks
from thawline.training.curves import Curves
from thawline.training.freeze_decision import FreezeDecision

OF_STAGES = ("rebalancing", "_head", "_depth", "_blocks", "pruning")
"""Ends of the names of pictures that show what earlier stages did."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Data behind the figures.

    Attributes:
        test: rows of the manifest that were predicted, int64 (N,).
        final: the last checkpoint on those rows.
        training: the reports of each training stage, by its name.
    """

    manifest: Manifest
    store: ImageStore
    rows: Rows
    test: np.ndarray
    final: Judged
    training: Mapping[str, Path]

    @property
    def labels(self) -> np.ndarray:
        labels: np.ndarray = self.manifest.labels[self.test]
        return labels


def draw(folder: Path, evidence: Evidence) -> list[ReportFigure]:
    """Write every figure into the folder; the pictures' paths are relative to its parent."""
    classes, scores = evidence.manifest.classes, evidence.final.scores
    drawn = {
        **heads(evidence.training),
        **depths(evidence.training),
        **epochs(evidence.training),
        "confusion": ("Confusion matrix", charts.confusion(scores.confusion, classes)),
        "per_class_f1": (
            "F1 per class",
            charts.per_class_f1(
                classes, f1=scores.f1, support=scores.support, macro_f1=scores.macro_f1
            ),
        ),
        "reliability": ("Calibration", charts.reliability_diagram(evidence.final.reliability)),
        "risk_coverage": ("Abstaining", risk_coverage.risk_coverage(evidence.final.risk_coverage)),
        "class_distribution": ("Images per class", _distribution(evidence)),
        "rebalancing": ("Training rows per class", _rebalancing(evidence)),
        "mistakes": ("Most confident mistakes", _mistakes(evidence)),
    }
    pictures = []
    for name, (title, figure) in drawn.items():
        style.save(figure, folder / f"{name}.png")
        pictures.append(ReportFigure(title=title, path=PurePosixPath(folder.name, f"{name}.png")))
    return [*trained(folder, evidence.training), *pictures]


def epochs(training: Mapping[str, Path]) -> dict[str, tuple[str, Figure]]:
    """Draw the stages that trained in epochs; nothing where none did."""
    trained = {stage: found for stage, found in _curves(training).items() if found.num_epochs}
    return {"curves": ("Training curves", charts.curves(trained))} if trained else {}


def heads(training: Mapping[str, Path]) -> dict[str, tuple[str, Figure]]:
    """Draw the groups of blocks tried by stages that solved their head in closed form."""
    found = {stage: FreezeDecision.read(path).head for stage, path in training.items()}
    return {
        f"{stage}_head": (f"What the head reads, {stage}", head_groups.draw(fit))
        for stage, fit in found.items()
        if fit is not None
    }


def decisions(training: Mapping[str, Path]) -> dict[str, str]:
    """Describe why each training stage trained what it trained, and whether that was discarded.

    Args:
        training: the reports of each training stage, by its name.
    """
    outcomes = {stage: curves.describe(found) for stage, found in _curves(training).items()}
    found = {stage: FreezeDecision.read(path) for stage, path in training.items()}
    return {
        stage: f"{one.reason}; {one.outcome}"
        if one.outcome
        else "; it ".join(filter(None, (one.reason, outcomes[stage])))
        for stage, one in found.items()
    }


def depths(training: Mapping[str, Path]) -> dict[str, tuple[str, Figure]]:
    """Draw what `trainable: auto` measured, of the stages that did."""
    found = {stage: FreezeDecision.read(path) for stage, path in training.items()}
    return {
        f"{stage}_depth": (f"Depth, {stage}", depth_profile.draw(decided))
        for stage, decided in found.items()
        if decided.profile.scores
    }


def trained(folder: Path, training: Mapping[str, Path]) -> list[ReportFigure]:
    """Draw which blocks each stage trained.

    Args:
        folder: where the figures go.
        training: the reports of each training stage, by its name.
    """
    found = []
    for stage, path in training.items():
        name, title = f"{stage}_blocks.svg", f"{stage}: what was trained"
        frozen_blocks.write(folder / name, title, trained_blocks.read(path))
        found.append(ReportFigure(title=title, path=PurePosixPath(folder.name, name)))
    return found


def pruning(folder: Path, path: Path, chosen: float | None) -> list[ReportFigure]:
    """Draw the curve that `compress` has written, if it has several points.

    Args:
        folder: where the figures go.
        path: table of the curve.
        chosen: ratio of the point that ships, as the metrics have it; None where nothing was
            pruned.
    """
    points = curve.read(path)
    if chosen is None or len(points) < 2:
        return []
    ships = min(points, key=lambda point: abs(point.ratio - chosen))
    style.save(pruning_curve.draw(points, ships), folder / "pruning.png")
    return [ReportFigure(title="Pruning", path=PurePosixPath(folder.name, "pruning.png"))]


def class_scores(evidence: Evidence) -> list[ClassScore]:
    scores = evidence.final.scores
    columns = zip(scores.precision, scores.recall, scores.f1, scores.support, strict=True)
    return [
        ClassScore(name=n, precision=float(p), recall=float(r), f1=float(f), support=int(s))
        for n, (p, r, f, s) in zip(evidence.manifest.classes, columns, strict=True)
    ]


def mistake_list(evidence: Evidence) -> list[Mistake]:
    """List the mistakes, the most confident first."""
    classes, predicted = evidence.manifest.classes, evidence.final.probabilities
    return [
        Mistake(
            image=evidence.manifest.names[evidence.test[at]],
            actual=classes[evidence.labels[at]],
            predicted=classes[predicted[at].argmax()],
            confidence=float(predicted[at].max()),
        )
        for at in gallery.confident_mistakes(predicted, evidence.labels)
    ]


def _curves(training: Mapping[str, Path]) -> dict[str, Curves]:
    return {stage: curves.read(path) for stage, path in training.items()}


def _rebalancing(evidence: Evidence) -> Figure:
    manifest = evidence.manifest
    after = evidence.rows.counts(manifest.labels, len(manifest.classes))
    return class_sizes.rebalancing(manifest.classes, before=manifest.counts("train"), after=after)


def _distribution(evidence: Evidence) -> Figure:
    manifest = evidence.manifest
    after = evidence.rows.counts(manifest.labels, len(manifest.classes))
    counts = {split: manifest.counts(split) for split in ("val", "test")}
    return class_sizes.class_distribution(
        manifest.classes, before=manifest.counts("train"), after=after, **counts
    )


def _mistakes(evidence: Evidence) -> Figure:
    predicted, classes = evidence.final.probabilities, evidence.manifest.classes
    at = gallery.confident_mistakes(predicted, evidence.labels)
    return gallery.mistakes(
        evidence.store.take(evidence.test[at]),
        actual=[escape(classes[k]) for k in evidence.labels[at]],
        predicted=[escape(classes[k]) for k in predicted[at].argmax(axis=1)],
        confidence=predicted[at].max(axis=1),
        num_mistakes=int((predicted.argmax(axis=1) != evidence.labels).sum()),
        num_images=len(evidence.test),
    )
