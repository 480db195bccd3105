"""Fit the head in closed form on the frozen network, on the best group of its blocks.

This is the first answer: one pass over the images, and a network that ends after the last block
that its head reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from thawline.features import level_choice, ridge
from thawline.features.layer_profile import HeadFit
from thawline.features.level_choice import Choice, ChoiceSample, weighted_mean
from thawline.features.levels import TRUNK, BlockFeatures, augmented
from thawline.metrics import temperature
from thawline.metrics.classification import score
from thawline.models.checkpoint import ModelConfig
from thawline.models.multilevel import Level, Standardise, read_levels
from thawline.models.network import Network
from thawline.training import fitting, refit
from thawline.training.context import Machine, TrainingData
from thawline.training.fitting import FitRows
from thawline.training.refit import Refit

_MOST_BYTES = 4e9
"""Bytes of all training rows' features, held in float32: 16,000 features of each of 60,000."""
_COPIED = 10_000
"""Rows up to which augmented copies may join the fit: beyond, they bring little for a pass."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """First answer: a network with a head solved in closed form.

    Attributes:
        network: cut after the last level, on the CPU, in evaluation mode.
        last: head fitted to the validation rows too; None where none is made.
        levels: levels that the head reads; none where it reads what the network's own head would.
        fit: record of the choice and its scores, as plain values.
    """

    network: Network
    last: Refit | None
    levels: tuple[Level, ...]
    fit: HeadFit


def fit_head(
    network: Network,
    card: ModelConfig,
    data: TrainingData,
    machine: Machine,
    *,
    precision: str,
    groups: Sequence[str | None],
    last_only: bool = False,
    refits: bool = False,
) -> Fitted:
    """Choose what the head reads by rows left out of the fit, and solve it on all training rows.

    Equal arguments give an equal result.

    Args:
        network: pretrained, in evaluation mode.
        card: configuration of the network.
        data: rows to fit; repeated rows count as often as they are repeated; images beside the
            manifest's and class targets are in the last fit only, since copies cannot be left out
            of one another.
        machine: device, seed and feature cache.
        precision: float32 or bfloat16, of the pass through the network.
        groups: per row of the manifest, name of what must be left out together, or None.
        last_only: whether the head reads what the network's own head would.
        refits: whether another head is fitted to the validation rows too; it decides nothing.
    """
    network = network.to(machine.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    features = BlockFeatures(
        network, data.store, card,
        precision=precision, device=machine.device, cache=machine.cache,
    )  # fmt: skip
    rows, weights = fitting.rows_and_weights(data)
    sample = _sample(rows, weights, data, groups, len(card.classes), machine.seed)
    helped = bool(data.policy) and len(rows) <= _COPIED
    copies = augmented(data.policy, machine.seed) if helped else None
    choice = level_choice.choose(
        features, sample,
        last_only=last_only, own_linear=_has_own_linear(network), copies=copies,
        most_features=int(_MOST_BYTES / 4 / len(rows)),
    )  # fmt: skip
    out = choice.left_out
    honest = temperature.fit(_softmax(out.scores), sample.labels)
    levels = _levels(network, choice)
    penalty, network = out.penalty, network.cpu()

    def solved(rows: np.ndarray, weights: np.ndarray) -> tuple[FitRows, Network]:
        fit_rows = fitting.gather(features, choice, rows, weights, data, machine, groups)
        return fit_rows, _with_head(network, levels, *fit_rows.solve(penalty), honest)

    last = None
    if refits and len(rows) <= refit.MOST_ROWS and data.rows.targets is None:
        val = data.manifest.rows("val")
        joint, its_weights = refit.add_rows(rows, weights, val, fitting.labels_of(data))
        fit_rows, refitted = solved(joint, its_weights)
        scores = fit_rows.left_out(penalty)[len(rows) : len(joint)]
        last = refit.Refit.from_network(refitted, temperature.scale(_softmax(scores), honest))
    _, network = solved(rows, weights)
    probabilities = temperature.scale(_softmax(out.scores), honest)
    accuracy, error = weighted_mean(out.right, sample.weights)
    return Fitted(
        network=network,
        last=last,
        levels=levels,
        fit=HeadFit(
            chosen=choice.tried[choice.keys],
            tried=tuple(choice.tried.values()),
            augmented=choice.augmented,
            augmented_accuracy=choice.augmented_accuracy,
            penalty=out.penalty,
            accuracy=accuracy,
            error=error,
            nll=score(probabilities, sample.labels).nll,
            num_rows=len(sample.rows),
            temperature=honest,
        ),
    )


def _levels(network: Network, choice: Choice) -> tuple[Level, ...]:
    """List the levels that the head reads; none where it is the network's own linear layer."""
    *_, last, _ = (name for name, _ in network.named_children())
    own = _has_own_linear(network)
    return tuple(
        Level.model_validate({"block": block if block != TRUNK else last, "grid": grid})
        for block, grid in choice.keys
        if block != TRUNK or not own
    )


def _has_own_linear(network: Network) -> bool:
    return any(isinstance(module, nn.Linear) for module in network[-1].modules())


def _sample(
    rows: np.ndarray,
    weights: np.ndarray,
    data: TrainingData,
    groups: Sequence[str | None],
    num_classes: int,
    seed: int,
) -> ChoiceSample:
    """Draw from the manifest's own rows: copies cannot be left out of one another's fit."""
    own = np.flatnonzero(rows < len(data.manifest))
    at = own[level_choice.draw(data.manifest.labels[rows[own]], np.random.default_rng(seed))]
    return ChoiceSample(
        rows=rows[at],
        labels=data.manifest.labels[rows[at]],
        weights=weights[at],
        groups=level_choice.number_groups([groups[row] for row in rows[at]]),
        num_classes=num_classes,
    )


def _with_head(
    network: Network,
    levels: Sequence[Level],
    weight: np.ndarray,
    offset: np.ndarray,
    standard: ridge.Standard,
    honest: float,
) -> Network:
    """Put the solved head into the network, the temperature within its weights."""
    weight, offset = weight / honest, offset / honest
    if levels:
        network = read_levels(
            network, levels, num_features=weight.shape[1], num_classes=len(offset)
        )
        standardise = network.get_submodule("head.0")
        assert isinstance(standardise, Standardise)
        standardise.mean.copy_(torch.from_numpy(standard.mean))
        standardise.inverse_std.copy_(torch.from_numpy(standard.scale))
        assert standard.centre is not None
        offset = offset - weight @ standard.centre
    else:
        weight = weight * standard.scale
        offset = offset - weight @ standard.mean
    classifier = next(m for m in network[-1].modules() if isinstance(m, nn.Linear))
    with torch.no_grad():
        classifier.weight.copy_(torch.from_numpy(weight))
        classifier.bias.copy_(torch.from_numpy(offset))
    return network.eval()


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
    return found
