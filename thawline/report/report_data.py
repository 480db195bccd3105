"""Gather what the report shows beyond the scores: slices, corruptions, doubts, figures."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from thawline.advice import tracked
from thawline.compress import summary
from thawline.evaluation import label_issues, slices
from thawline.evaluation.evaluate_checkpoint import predict
from thawline.evaluation.label_issues import LabelIssue
from thawline.evaluation.results import Results
from thawline.evaluation.robustness import Robustness
from thawline.evaluation.robustness import measure as measure_robustness
from thawline.evaluation.robustness import write as write_robustness
from thawline.evaluation.slices import Slice
from thawline.ingest import deciding
from thawline.ingest.decided import AUTO, Decided
from thawline.models import checkpoint
from thawline.models.inference import BATCH
from thawline.params import proposal
from thawline.params.schema.whole import Params
from thawline.report import report_figures
from thawline.report.markdown import ReportFigure
from thawline.report.page import Advice, PageContent
from thawline.report.report_figures import Evidence
from thawline.runtime import safe_json
from thawline.runtime.output_paths import INGEST, MANIFEST, REPORTS, intact


def _before_training() -> dict[str, str]:
    """Describe what the stages before training decided from the data."""
    found = {"ingest": "; ".join(deciding.sentences(Decided.read(INGEST)))}
    chosen = REPORTS / "augment" / "decision.json"
    with intact(chosen):
        augment = safe_json.loads(chosen.read_text(encoding="utf-8"))
        found["augment"] = augment["reason"] if augment["policy"] == AUTO else ""
    return {stage: said for stage, said in found.items() if said}


def gather(
    folder: Path,
    evidence: Evidence,
    params: Params,
    *,
    shipped: Path,
    in_torch: Path,
    compressed: Mapping[str, Any],
    pruning: Path,
) -> PageContent:
    """Compute the report's contents, and write its tables and figures into the folder.

    Args:
        folder: folder of the report.
        evidence: predictions of the final network.
        params: the parameters.
        shipped: the checkpoint that is reported on.
        in_torch: the checkpoint whose gradients show where the network looked.
        compressed: metrics of the stage compress.
        pruning: its curve.
    """
    p = params.evaluate
    figures = folder / "figures"
    chosen = compressed["pruning"]["ratio"] if "pruning" in compressed else None
    pictures = [
        *report_figures.draw(figures, evidence),
        *report_figures.pruning(figures, pruning, chosen),
    ]
    issues: list[LabelIssue] = []
    if p.explanations:
        explained, issues = _explain(figures, evidence, in_torch)
        pictures += explained
    label_issues.write(folder / "label_issues.csv", issues, evidence.manifest)
    parts, results = _slices(evidence), Results.read(folder)
    slices.write(folder / "slices.csv", parts)
    robustness = _robustness(evidence, params, shipped) if p.corruptions else []
    write_robustness(folder / "corruptions.csv", robustness)
    return PageContent(
        folder=folder,
        results=results,
        card=checkpoint.read_card(shipped),
        manifest=evidence.manifest,
        decisions=_before_training()
        | report_figures.decisions(evidence.training)
        | summary.describe(compressed),
        classes=report_figures.class_scores(evidence),
        pictures=pictures,
        mistakes=report_figures.mistake_list(evidence),
        slices=parts,
        robustness=robustness,
        issues=issues,
        advice=_advice(evidence, params, results),
        budget=params.budget.model_dump(exclude={"max_minutes"}),
        bootstrap_samples=p.bootstrap_samples,
        calibration_bins=p.calibration_bins,
    )


def _advice(evidence: Evidence, params: Params, results: Results) -> list[Advice]:
    found = tracked.proposals(params, evidence.manifest, evidence.store, results, evidence.training)
    return [
        (p.key, proposal.spell(proposal.current(params, p.key)), proposal.spell(p.value), p.reason)
        for p in found
    ]


def _slices(evidence: Evidence) -> list[Slice]:
    bright = slices.brightness(evidence.store.batches(evidence.test, BATCH))
    right = evidence.final.probabilities.argmax(axis=1) == evidence.labels
    columns = slices.columns(INGEST / MANIFEST, evidence.test, evidence.labels, bright)
    return slices.find(right, columns)


def _robustness(evidence: Evidence, params: Params, shipped: Path) -> list[Robustness]:
    return measure_robustness(
        partial(predict, shipped, threads=params.training.threads),
        partial(evidence.store.batches, evidence.test, BATCH),
        evidence.labels,
        seed=params.seed,
    )


def _explain(
    figures: Path, evidence: Evidence, in_torch: Path
) -> tuple[list[ReportFigure], list[LabelIssue]]:
    from thawline.report import explanations  # loads captum

    pictures = explanations.draw(figures, evidence, in_torch)
    val = evidence.manifest.rows("val")
    unseen = np.concatenate([val, evidence.test])
    predicted = np.concatenate([evidence.final.validation, evidence.final.probabilities])
    return pictures, label_issues.find(unseen, evidence.manifest.labels[unseen], predicted)
