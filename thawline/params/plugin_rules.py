"""Check that plugins, their options and the network go together.

Values of the training sections alone are checked in recipe_rules.py.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

from thawline.params import plugins, validation_errors
from thawline.params.schema.design import resolve_stem
from thawline.params.schema.network import Model
from thawline.params.schema.whole import Params

NOTHING = "data/none"
"""Value of a path key when nothing is to be read: DVC refuses an empty dependency."""
_OPTION_KEYS = {
    plugins.SOURCE: "ingest.options",
    plugins.STRATEGY: "rebalance.options",
    plugins.POLICY: "augment.options",
    plugins.CONVOLUTION: "model.design.convolution_options",
}


def problems(params: Params) -> Iterator[str]:
    """Yield problems, one line each: the key, the value and what is allowed."""
    for kind in plugins.KINDS:
        name = attrgetter(kind.key)(params)
        if name not in plugins.names(kind):
            yield validation_errors.not_allowed(kind.key, name, plugins.names(kind))
        elif kind in _OPTION_KEYS:
            options = attrgetter(_OPTION_KEYS[kind])(params)
            yield from _option_problems(kind, _OPTION_KEYS[kind], name, options)
    if "file" in plugins.input_names(plugins.POLICY, params.augment.policy) and (
        params.augment.file == NOTHING
    ):
        yield (
            f"augment.file: {NOTHING!r} means no file; policy {params.augment.policy!r} needs "
            "a YAML file of steps"
        )
    yield from _architecture_problems(params)
    yield from _design_problems(params)
    yield from _smote_problems(params)
    if any(params.compress.prune.ratio) and params.model.design.convolution == "xnor":
        yield (
            "compress.prune.ratio: binary layers cannot be pruned; allowed with "
            "model.design.convolution 'xnor': 0"
        )


def _option_problems(
    kind: plugins.PluginKind, options_key: str, name: str, options: Mapping[str, Any]
) -> Iterator[str]:
    error = plugins.option_errors(kind, name, options)
    if error is None:
        return
    first = error.errors()[0]
    key = validation_errors.dotted((options_key, *first["loc"]))
    allowed = plugins.option_names(kind, name)
    if first["type"] == "extra_forbidden":
        close = validation_errors.close(str(first["loc"][-1]), allowed)
        listed = validation_errors.listed(allowed) or "none"
        yield f"{key}: not an option of {kind.key} {name!r}; allowed: {listed}{close}"
    else:
        yield f"{key}: {validation_errors.reason(first)}"


def _architecture_problems(params: Params) -> Iterator[str]:
    known = plugins.constant(plugins.FAMILY, params.model.family, "NAMES")
    if known is not None and params.model.name not in known:
        yield validation_errors.not_allowed("model.name", params.model.name, known)
    known = plugins.constant(plugins.FAMILY, "efficientnet", "NAMES")
    if params.rebalance.feature_model not in known:
        yield validation_errors.not_allowed(
            "rebalance.feature_model", params.rebalance.feature_model, known
        )


def _design_problems(params: Params) -> Iterator[str]:
    model, design = params.model, params.model.design
    known = plugins.input_names(plugins.FAMILY, model.family)
    for key, value in (("depth", design.depth), ("width", design.width)):
        if value != 1 and key not in known:
            yield (
                f"model.design.{key}: {value:g} does not fit model.family {model.family!r}, which "
                "is not built from stages that could have another; allowed: 1.0"
            )
    if model.stem == "small" and "stem" not in known:
        yield (
            f"model.stem: 'small' does not fit model.family {model.family!r}, which has one stem "
            "for all sizes; allowed: auto, imagenet"
        )
    if params.ingest.image_size_px != "auto":  # else ingest knows it
        yield from size_problems(params.model, params.ingest.image_size_px)


def size_problems(model: Model, size: int) -> Iterator[str]:
    """Yield problems of a network with images of a side in px, as `problems` does."""
    stem = resolve_stem(model.stem, family=model.family, weights=model.weights, image_size_px=size)
    limits = plugins.constant(plugins.FAMILY, model.family, "SMALLEST_PX") or {}
    smallest = limits.get(model.name, {})
    if size < smallest.get(stem, 0):
        small = smallest.get("small", size + 1)
        hint = ", or model.stem: small" if stem == "imagenet" and small <= size else ""
        yield (
            f"ingest.image_size_px: {size} leaves nothing after the poolings of {model.name!r}; "
            f"allowed: at least {smallest[stem]}{hint}"
        )


def _smote_problems(params: Params) -> Iterator[str]:
    head = params.transfer_learn
    if params.rebalance.strategy != "smote" or head.trainable == "head":
        return
    if head.is_closed_form(from_scratch=params.model.weights == "none"):
        return
    yield (
        f"transfer_learn.trainable: {head.trainable!r} trains on images, and rebalance.strategy "
        "'smote' makes features of a frozen trunk; allowed with it: head"
    )
