"""Run a training stage: read, train, write checkpoint, curves and metrics."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from thawline.augment._minority import Extras
from thawline.dataset.image_store import ImageStore
from thawline.dataset.manifest import Manifest
from thawline.dataset.rows import Rows
from thawline.errors import UserError
from thawline.features.cache import FeatureCache
from thawline.models import checkpoint, device
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.params.schema import recipes
from thawline.params.schema.whole import Params
from thawline.runtime.output_paths import (
    INGEST,
    MINORITY,
    MODELS,
    POLICY,
    REPORTS,
    ROWS,
    intact,
    write_csv,
    write_metrics,
)
from thawline.runtime.progress import log
from thawline.tracking.client import StageRun
from thawline.training import (
    acceptance,
    auto_recipe,
    batch_size,
    curves,
    distillation,
    fine_tuning,
    fingerprint,
    freeze_decision,
    freeze_policy,
    losses,
    trained_blocks,
)
from thawline.training import distributed as groups
from thawline.training.context import Machine, TrainingData
from thawline.training.distillation import Teacher
from thawline.training.distributed import Group
from thawline.training.freeze_decision import FreezeDecision
from thawline.training.history import Epoch, History
from thawline.training.recipe import Recipe
from thawline.training.refit import Refit
from thawline.training.resume import Resume
from thawline.training.train import train

CURVES = ("train_loss", "val_loss", "val_accuracy", "val_macro_f1", "learning_rate")


def train_stage(
    name: str,
    network: Network,
    card: ModelConfig,
    params: Params,
    section: recipes.RecipeSection,
    run: StageRun,
    *,
    from_scratch: bool,
    before: FreezeDecision | None = None,
) -> None:
    """Train the network as a section of params says, and write the stage's outputs.

    `from_scratch` says whether the network began with random weights; `before` is the decision of
    the training stage before this one, if there was one.
    """
    with groups.start_group(params) as group:
        _train_stage(
            name, network, card, params, section, run, group,
            from_scratch=from_scratch, before=before,
        )  # fmt: skip


def _train_stage(
    name: str,
    network: Network,
    card: ModelConfig,
    params: Params,
    section: recipes.RecipeSection,
    run: StageRun,
    group: Group,
    *,
    from_scratch: bool,
    before: FreezeDecision | None,
) -> None:
    data, machine = prepare(name, params, group)
    decided = group.broadcast(
        lambda: freeze_policy.decide(
            name, section, network, card, data, machine, from_scratch=from_scratch, before=before
        )
    )
    size = batch_size.choose(params, network, card, machine)
    tuned = auto_recipe.is_solved(before)
    plan, last = None, None
    if tuned:
        last = Refit.read(MODELS / "transfer_learn")
        plan = group.broadcast(lambda: fine_tuning.plan(
            section, network, card, data,
            batch_size=size, threads=params.training.threads, max_minutes=params.budget.max_minutes,
            last=last,
        ))  # fmt: skip
    values = dict(plan.values) if plan else auto_recipe.resolved(section, from_scratch=from_scratch)
    chosen = {"trainable": decided.trainable, "num_blocks": decided.num_blocks}
    recipe = Recipe(stage=name, batch_size=size, **values | chosen)
    teacher = _teacher(recipe, card, machine)
    if group.rank == 0:
        freeze_policy.record(decided, run)
        _warn(name, decided, recipe, data, run)
        said = auto_recipe.described(section, values)
        if said and not (plan and plan.stands):
            log(f"{name}: auto takes {said}")

    def on_epoch(number: int, judged: Epoch) -> None:
        run.metrics(judged, step=number + 1)

    kept: list[Resume] = []

    def train_by(recipe: Recipe) -> History:
        resume = None
        if group.rank == 0:
            known_by = fingerprint.describe_training(network, card, data, recipe, machine)
            if teacher is not None:
                known_by["teacher"] = teacher.known_by()
            rate = f"{name}.learning_rate"
            resume = Resume(
                name, known_by,
                minutes=params.training.checkpoint_minutes,
                beside=[known_by | {rate: str(other)} for other in (plan.rates if plan else ())],
            )  # fmt: skip
            kept.append(resume)
        return train(
            network, card, data, recipe, machine, on_epoch, resume, teacher,
            may_keep_start=before is not None,
            start_competes=not tuned,
            ends_below=plan.ends_below(recipe.learning_rate) if plan else None,
            num_good=acceptance.MOST_EPOCHS if plan else 0,
        )  # fmt: skip

    outcome = ""
    if plan is None:
        history = train_by(recipe)
    elif plan.stands:
        network.requires_grad_(False)  # the report says that nothing was trained
        history, outcome = (
            fine_tuning.kept_start(network, card, data),
            f"keeps the start: {plan.stands}",
        )
    else:
        history, outcome = fine_tuning.tune(
            network, card, data, recipe, plan.rates, train_by, last=last
        )
    if group.rank:
        return
    if outcome:
        log(f"{name}: {outcome}")
        decided = replace(decided, outcome=outcome)
        decided.write(REPORTS / name)
        run.tags({f"{name}.outcome": outcome})
    checkpoint.save(MODELS / name, network, card)
    trained_blocks.write(REPORTS / name, trained_blocks.blocks(network))
    run.artifact(REPORTS / name / trained_blocks.FILE)
    _write_reports(name, history, network)
    macro_f1 = history.kept()["val_macro_f1"]
    run.metrics({"best_epoch": history.best_epoch + 1, "best_val_macro_f1": macro_f1})
    run.artifact(REPORTS / name / curves.FILE)
    if said := curves.describe(curves.read(REPORTS / name)):
        text = f"{name} {said}"
        if not outcome:
            log(f"warning: {text}")
        run.tags({f"{name}.kept_start": text})
    for resume in kept:
        run.afterwards(resume.finish)


def _warn(
    name: str, decided: FreezeDecision, recipe: Recipe, data: TrainingData, run: StageRun
) -> None:
    after = np.bincount(data.labels, minlength=len(data.manifest.classes))
    if data.rows.targets is not None and recipe.trainable == "head":
        after = np.maximum(after, data.rows.targets)
    twice = losses.corrected_twice(
        recipe,
        before=data.manifest.counts("train"),
        after=after,
        class_weights=data.rows.class_weights,
    )
    warnings = [text for text in (freeze_decision.warning(decided), twice) if text]
    for text in warnings:
        log(f"warning: {text}")
    if warnings:
        run.tags({f"{name}.warning": "; ".join(warnings)})


def prepare(name: str, params: Params, group: Group = groups.ALONE) -> tuple[TrainingData, Machine]:
    """Read a stage's data, choose its machine and set up the process for it.

    Raises:
        UserError: more processes than training rows.
    """
    t = params.training
    device.setup(threads=t.threads, seed=params.seed, deterministic=t.deterministic)
    data, machine = data_for(params, head=name == "transfer_learn"), machine_for(params)
    if len(data.indices) < group.size:
        raise UserError(
            f"params.yaml: training.devices: {group.size}, for {len(data.indices)} training rows; "
            "allowed: at most as many"
        )
    return data, replace(machine, group=group, device=group.device or machine.device)


def data_for(params: Params, *, head: bool) -> TrainingData:
    """Read what the stages before have written to train on; `head` as for `rows_for`."""
    manifest = Manifest.read(INGEST)
    with intact(POLICY):
        policy = json.loads(POLICY.read_text(encoding="utf-8"))
    return TrainingData(
        manifest=manifest,
        store=ImageStore(INGEST, MINORITY),
        rows=rows_for(manifest, head=head, apply_to=params.rebalance.apply_to),
        policy=policy,
        num_views=params.augment.views,
        extra_labels=manifest.labels[Extras.read(MINORITY).rows],
    )


def machine_for(params: Params) -> Machine:
    """Choose device, workers and cache by params."""
    t = params.training
    device.check_compiler(t.compile)
    selected = device.select(t.device)
    return Machine(
        device=selected,
        precision=t.precision,
        workers=device.workers(t.workers, selected, processes=t.devices),
        seed=params.seed,
        cache=FeatureCache(t.cache_gb),
        compiled=t.compile,
    )


def rows_for(manifest: Manifest, *, head: bool, apply_to: str) -> Rows:
    """Choose rebalanced rows for a head, or for all with `apply_to: all`; else rows as they are.

    Source: B. Kang et al., 2020, "Decoupling representation and classifier for long-tailed
    recognition": a trunk learns best from the rows as they are.
    """
    if head or apply_to == "all":
        return Rows.read(ROWS)
    return Rows.untouched(manifest.rows("train"), len(manifest.classes))


def _teacher(recipe: Recipe, card: ModelConfig, machine: Machine) -> Teacher | None:
    if recipe.distill is None or not recipe.distill["weight"]:
        return None
    options = dict(recipe.distill)
    folder, key = Path(options.pop("checkpoint")), f"{recipe.stage}.distill.checkpoint"
    return distillation.load(
        folder, card, key=key, **options, device=machine.device, wanted_precision=machine.precision
    )


def _write_reports(name: str, history: History, network: Network) -> None:
    best = history.kept()
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    metrics = {
        "epochs": len(history.epochs),
        "best_epoch": history.best_epoch + 1,
        **{key: best[key] for key in CURVES[:-1] if key in best},
        **{f"start_{key}": value for key, value in (history.start or {}).items()},
        "trained_parameters": trained,
    }
    write_metrics(name, metrics)
    lines = [
        (number, *(f"{epoch[key]:.6g}" for key in CURVES))
        for number, epoch in enumerate(history.epochs, start=1)
    ]
    write_csv(REPORTS / name / curves.FILE, ("epoch", *CURVES), lines)
