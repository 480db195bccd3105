"""What values of the two training sections do not go together."""

from collections.abc import Iterator

from thawline.plugin_rules import NOTHING
from thawline.sections.whole import Params


def problems(params: Params) -> Iterator[str]:
    """One line each: the key, the value and what is allowed."""
    yield from _mixing_problems(params)
    yield from _schedule_problems(params)
    yield from _distill_problems(params)


def _mixing_problems(params: Params) -> Iterator[str]:
    for stage in ("transfer_learn", "fine_tune"):
        section = getattr(params, stage)
        for key in ("mixup_alpha", "cutmix_alpha"):
            value = getattr(section, key)
            if 0 < value < 0.001:
                yield f"{stage}.{key}: {value:g} mixes nothing; allowed: 0 or at least 0.001"
        if not _may_be_computed_once(params, stage):
            continue
        for key in ("mixup_alpha", "cutmix_alpha", "random_erasing"):
            value = getattr(section, key)
            if value:
                yield (
                    f"{stage}.{key}: {value:g} changes pixels, but {stage}.trainable: "
                    f"{section.trainable} trains on features computed once; allowed: 0, or thaw "
                    "some blocks with cache: none"
                )


def _schedule_problems(params: Params) -> Iterator[str]:
    for stage in ("transfer_learn", "fine_tune"):
        section = getattr(params, stage)
        if section.schedule == "one_cycle" and not section.warmup_ratio:
            yield f"{stage}.warmup_ratio: 0 leaves one_cycle nothing to rise in; allowed: e.g. 0.3"
        if section.schedule == "one_cycle" and section.optimizer == "adam_then_sgd":
            yield (
                f"{stage}.schedule: 'one_cycle' is of one optimizer, and adam_then_sgd are two; "
                "allowed with it: cosine, constant, step, plateau"
            )


def _distill_problems(params: Params) -> Iterator[str]:
    distill = params.fine_tune.distill
    if distill.weight and distill.checkpoint == NOTHING:
        yield (
            f"fine_tune.distill.checkpoint: {NOTHING!r} stands for nothing; weight "
            f"{distill.weight:g} needs the folder of a checkpoint"
        )
    if distill.weight and _may_be_computed_once(params, "fine_tune"):
        yield (
            f"fine_tune.distill.weight: {distill.weight:g} needs images, but fine_tune.trainable: "
            f"{params.fine_tune.trainable} trains on features computed once; allowed: 0, or thaw "
            "some blocks with cache: none"
        )


def _may_be_computed_once(params: Params, stage: str) -> bool:
    """Whether the head alone trains, or may do: with `auto` only transfer_learn chooses so. With
    `cache: views` whatever leaves first blocks frozen.
    """
    section = getattr(params, stage)
    if section.trainable == "auto" and section.cache == "none":
        return stage == "transfer_learn" and params.model.weights != "none"
    by_number = section.trainable in ("last_blocks", "first_blocks")
    kept = section.cache == "views" and section.trainable in ("last_blocks", "auto")
    return section.trainable == "head" or (by_number and not section.num_blocks) or kept
