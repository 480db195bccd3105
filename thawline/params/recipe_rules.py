"""Check that values of the two training sections go together."""

from collections.abc import Iterator

from thawline.params.plugin_rules import NOTHING
from thawline.params.schema.whole import Params


def problems(params: Params) -> Iterator[str]:
    """Yield problems, one line each: the key, the value and what is allowed."""
    yield from _solver_problems(params)
    yield from _mixing_problems(params)
    yield from _schedule_problems(params)
    yield from _distill_problems(params)


def _solver_problems(params: Params) -> Iterator[str]:
    head, weights = params.transfer_learn, params.model.weights
    if head.solver == "ridge" and head.trainable not in ("head", "auto"):
        yield (
            "transfer_learn.solver: 'ridge' solves a head on frozen blocks, but transfer_learn."
            f"trainable: {head.trainable} trains blocks; allowed with it: auto, gradient"
        )
    if head.solver == "ridge" and weights == "none":
        yield (
            "transfer_learn.solver: 'ridge' reads features of a pretrained network, and model."
            "weights: none has no such features; allowed with it: auto, gradient"
        )
    if not head.is_closed_form(from_scratch=weights == "none"):
        return
    trains = (
        f"needs a head that trains, and transfer_learn.solver: {head.solver} solves it in closed "
        "form; allowed with it:"
    )
    if head.loss != "cross_entropy":
        yield f"transfer_learn.loss: {head.loss!r} {trains} cross_entropy, or solver: gradient"
    if tau := head.logit_adjustment:
        yield f"transfer_learn.logit_adjustment: {tau:g} {trains} 0, or solver: gradient"


def _mixing_problems(params: Params) -> Iterator[str]:
    for stage in ("transfer_learn", "fine_tune"):
        section = getattr(params, stage)
        for key in ("mixup_alpha", "cutmix_alpha"):
            value = getattr(section, key)
            if 0 < value < 0.001:
                yield f"{stage}.{key}: {value:g} mixes nothing; allowed: 0 or at least 0.001"
        if not _may_be_computed_once(params, stage):
            continue
        works = "solves a head" if _is_solved(params, stage) else "trains"
        for key in ("mixup_alpha", "cutmix_alpha", "random_erasing"):
            value = getattr(section, key)
            if value:
                yield (
                    f"{stage}.{key}: {value:g} changes pixels, but {stage}.trainable: "
                    f"{section.trainable} {works} on features computed once; allowed: 0, or "
                    "unfreeze some blocks (e.g. trainable: last_blocks) with cache: none"
                )


def _schedule_problems(params: Params) -> Iterator[str]:
    for stage in ("transfer_learn", "fine_tune"):
        section = getattr(params, stage)
        if section.learning_rate == "auto" and section.optimizer in ("adagrad", "adadelta"):
            yield (
                f"{stage}.learning_rate: 'auto' has rates for sgd and adam, not for "
                f"{section.optimizer}; allowed with it: a number above 0"
            )
        if section.schedule == "one_cycle" and not section.warmup_ratio:
            yield f"{stage}.warmup_ratio: 0 leaves one_cycle no steps to rise; allowed: e.g. 0.3"
        if section.schedule == "one_cycle" and section.optimizer == "adam_then_sgd":
            yield (
                f"{stage}.schedule: 'one_cycle' is for one optimizer, and adam_then_sgd uses two; "
                "allowed with it: cosine, constant, step, plateau"
            )


def _distill_problems(params: Params) -> Iterator[str]:
    distill = params.fine_tune.distill
    if distill.weight and distill.checkpoint == NOTHING:
        yield (
            f"fine_tune.distill.checkpoint: {NOTHING!r} means no teacher; weight "
            f"{distill.weight:g} needs the folder of a checkpoint"
        )
    if distill.weight and _may_be_computed_once(params, "fine_tune"):
        yield (
            f"fine_tune.distill.weight: {distill.weight:g} needs images, but fine_tune.trainable: "
            f"{params.fine_tune.trainable} trains on features computed once; allowed: 0, or "
            "unfreeze some blocks with cache: none"
        )


def _is_solved(params: Params, stage: str) -> bool:
    from_scratch = params.model.weights == "none"
    return stage == "transfer_learn" and params.transfer_learn.is_closed_form(
        from_scratch=from_scratch
    )


def _may_be_computed_once(params: Params, stage: str) -> bool:
    """Tell whether features may be computed once, since the head alone trains, or may do.

    With `auto` only transfer_learn chooses so. With `cache: views`, also wherever first blocks stay
    frozen.
    """
    section = getattr(params, stage)
    if section.trainable == "auto" and section.cache == "none":
        return stage == "transfer_learn" and params.model.weights != "none"
    by_number = section.trainable in ("last_blocks", "first_blocks")
    kept = section.cache == "views" and section.trainable in ("last_blocks", "auto")
    return section.trainable == "head" or (by_number and not section.num_blocks) or kept
