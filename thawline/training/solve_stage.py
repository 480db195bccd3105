"""Run transfer_learn in closed form: the first answer, with the outputs of a training stage."""

import numpy as np

from thawline.cost.flops import num_macs
from thawline.features.layer_profile import HeadFit
from thawline.metrics.classification import score
from thawline.models import checkpoint, precision
from thawline.models.checkpoint import ModelConfig
from thawline.models.inference import images_at_once, probabilities
from thawline.models.network import Network
from thawline.params.schema import recipes
from thawline.params.schema.whole import Params
from thawline.runtime.output_paths import MODELS, REPORTS, write_csv, write_metrics
from thawline.runtime.progress import log
from thawline.tracking.client import StageRun
from thawline.training import (
    auto_recipe,
    curves,
    fine_tuning,
    freeze_policy,
    time_plan,
    trained_blocks,
)
from thawline.training import distributed as groups
from thawline.training.context import TrainingData
from thawline.training.freeze_decision import FreezeDecision
from thawline.training.linear_head import Fitted, fit_head
from thawline.training.stage import CURVES, prepare

_NO_ERROR = 1e-6
"""Standard error below which it is the rounding of a sum of equal numbers."""
MOST_GAINED = 0.02
"""Largest gain of accuracy expected of fine-tuning: a choice. On the sets of docs/own-images.md it
brought up to 0.8 points."""


def solve_stage(
    name: str,
    network: Network,
    card: ModelConfig,
    params: Params,
    section: recipes.TransferLearn,
    run: StageRun,
) -> Network:
    """Fit the head, cut the network and write the stage's outputs.

    Of several processes, the first one does it all; there is nothing to share.

    Returns:
        The network that was written; in the other processes the one given.
    """
    with groups.start_group(params) as group:
        if group.rank:
            return network
        data, machine = prepare(name, params)
        chosen = precision.choose(machine.precision, network, machine.device)
        fitted = fit_head(
            network, card, data, machine,
            precision=chosen.forward,
            groups=data.manifest.groups,
            last_only=section.levels == "last",
            refits=section.refit == "auto",
        )  # fmt: skip
    card = card.model_copy(update={"levels": fitted.levels})
    judged = _validation(fitted, card, data)
    decided = FreezeDecision(
        stage=name,
        trainable="head",
        num_blocks=0,
        from_scratch=False,
        reason=_reason(fitted.fit, network, fitted.network),
        head=fitted.fit,
    )
    log(f"{name}: {decided.reason}")
    freeze_policy.record(decided, run)
    run.tags({f"{name}.decision": decided.reason})
    checkpoint.save(MODELS / name, fitted.network, card)
    if fitted.last is not None:
        fitted.last.write(MODELS / name)
    fitted.network[:-1].requires_grad_(False)
    trained_blocks.write(REPORTS / name, trained_blocks.blocks(fitted.network))
    run.artifact(REPORTS / name / trained_blocks.FILE)
    _write_reports(name, fitted, judged, run)
    log(f"{name}: {_first_answer(name, fitted, judged, data, params, card)}")
    return fitted.network


def _validation(fitted: Fitted, card: ModelConfig, data: TrainingData) -> dict[str, float]:
    rows = data.manifest.rows("val")
    batches = data.store.batches(rows, images_at_once(card.image_size_px))
    found = score(probabilities(fitted.network, batches, card), data.manifest.labels[rows])
    return {
        "val_loss": found.nll,
        "val_accuracy": found.accuracy,
        "val_macro_f1": found.macro_f1,
    }


def _write_reports(name: str, fitted: Fitted, judged: dict[str, float], run: StageRun) -> None:
    """Write metrics and empty curves; the training loss is that of rows left out of the fit."""
    fit = fitted.fit
    scores = {"train_loss": fit.nll, **judged}
    run.metrics(scores, step=0)
    run.metrics({"best_epoch": 0, "best_val_macro_f1": judged["val_macro_f1"]})
    head = fitted.network[-1].parameters()
    write_metrics(
        name,
        {
            "epochs": 0,
            "best_epoch": 0,
            **{key: scores[key] for key in CURVES[:-1]},
            "left_out_accuracy": fit.accuracy,
            "left_out_error": fit.error,
            "trained_parameters": sum(p.numel() for p in head),
        },
    )
    write_csv(REPORTS / name / curves.FILE, ("epoch", *CURVES), [])
    run.artifact(REPORTS / name / curves.FILE)


def _first_answer(
    name: str,
    fitted: Fitted,
    judged: dict[str, float],
    data: TrainingData,
    params: Params,
    card: ModelConfig,
) -> str:
    """Say how good the first answer is, and how long fine-tuning takes at most, by counts."""
    fit, network = fitted.fit, fitted.network
    accuracy, error, count, rows = fit.accuracy, fit.error, fit.num_rows, "left-out"
    if fit.num_rows < len(np.unique(data.indices)):  # of a sample, by fits of fewer rows
        accuracy, count, rows = judged["val_accuracy"], len(data.manifest.rows("val")), "validation"
        error = float(np.sqrt(accuracy * (1 - accuracy) / count))
    low, high = (100 * bound for bound in interval(accuracy, error, count))
    size_mb = sum(tensor.nbytes for tensor in network.state_dict().values()) / 1e6
    macs = num_macs(network, card.image_size_px)
    threads = params.training.threads
    text = (
        f"first answer in {MODELS / name}: {100 * accuracy:.1f} % ({low:.1f} to {high:.1f}) of "
        f"{rows} images, {size_mb:.2g} MB, {macs / 1e6:.0f} million multiply-adds and some "
        f"{time_plan.latency_ms(macs, threads):.1f} ms an image"
    )
    if params.fine_tune.epochs != auto_recipe.AUTO:
        return text
    if few := fine_tuning.too_few(data):
        return f"{text}; fine_tune will keep it: {few}"
    left = auto_recipe.minutes_left(
        params.budget.max_minutes, num_images=len(data.manifest), macs=macs, threads=threads
    )
    seconds = auto_recipe.planned_seconds(
        len(data.indices), macs=macs, threads=threads,
        batch_size=params.training.batch_size, max_minutes=left,
        depthwise=precision.has_depthwise(network),
    )  # fmt: skip
    if not seconds:
        return f"{text}; fine_tune will keep it: not one epoch fits into budget.max_minutes"
    most = min(100.0, high + 100 * MOST_GAINED)
    limit = ", unless budget.max_minutes ends it earlier" if left is None else ""
    return (
        f"{text}; expected in the end: {low:.1f} to {most:.1f} %, after some "
        f"{seconds / 60:.1f} minutes of fine_tune{limit}"
    )


def interval(accuracy: float, error: float, num_rows: int) -> tuple[float, float]:
    """Compute the 95 % interval of an accuracy, in [0, 1], also where all rows are right.

    `error` is the standard error of the accuracy, which tells how many rows of equal weight it is
    worth; it is about 0 where all rows agree.

    Source: E. Wilson, 1927, "Probable inference, the law of succession, and statistical inference".
    """
    square, accuracy = 1.96**2, min(1.0, max(0.0, accuracy))
    worth = accuracy * (1 - accuracy) / error**2 if error > _NO_ERROR else float(num_rows)
    middle = (accuracy + square / (2 * worth)) / (1 + square / worth)
    spread = accuracy * (1 - accuracy) / worth + square / (4 * worth**2)
    half = float(np.sqrt(square * spread)) / (1 + square / worth)
    return max(0.0, middle - half), min(1.0, middle + half)


def _reason(fit: HeadFit, whole: Network, cut: Network) -> str:
    chosen = fit.chosen
    blocks = ", ".join(chosen.blocks)
    text = (
        f"a ridge head on {blocks} has an accuracy of {100 * fit.accuracy:.1f} % "
        f"(± {100 * fit.error:.1f}) on {fit.num_rows:,} training images that were left out of its "
        "fit"
    )
    alone = next((group for group in reversed(fit.tried) if len(group.blocks) == 1), chosen)
    if alone != chosen:
        text += f", on {alone.blocks[0]} alone {100 * alone.accuracy:.1f} %"
    before, after = (sum(p.numel() for p in network.parameters()) for network in (whole, cut))
    if after < before:
        text += f"; the network ends there, with {after / 1e6:.2f} of {before / 1e6:.2f} million "
        text += "parameters"
    return text
