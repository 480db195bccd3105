"""Fit the head in closed form on the frozen network, on the best group of its blocks.

This is the first answer: one pass over the images, and a network that ends after the last block
that its head reads.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from thawline.checkpoint import ModelCard
from thawline.evaluation import temperature
from thawline.evaluation.accuracy import score
from thawline.multilevel import Level, Standardise, read_levels
from thawline.network import Network
from thawline.training import level_choice, refit, ridge
from thawline.training.level_choice import Choice, Sample, weighted_mean
from thawline.training.levels import TRUNK, BlockFeatures, augmented
from thawline.training.profile import HeadFit
from thawline.training.setting import Machine, TrainingData

_MOST_BYTES = 4e9
"""Of the features of all training rows, which are held in float32: 16,000 of each of 60,000."""
_COPIED = 10_000
"""Rows up to which augmented copies may join the fit: beyond, they bring little for a pass."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The first answer.

    Attributes:
        network: cut after the last level, on the CPU, in evaluation mode.
        refitted: the same with a head of the validation rows too, see `refit`; None where there
            are so many training rows that it is not made.
        levels: that the head reads; none where it reads what the network's own head would.
        fit: how it was chosen, as plain values.
    """

    network: Network
    refitted: Network | None
    levels: tuple[Level, ...]
    fit: HeadFit


def fit_head(
    network: Network,
    card: ModelCard,
    data: TrainingData,
    machine: Machine,
    *,
    precision: str,
    groups: Sequence[str | None],
    last_only: bool = False,
) -> Fitted:
    """Choose what the head reads by rows left out of the fit, and solve it on all training rows.

    Equal arguments give an equal result.

    Args:
        network: pretrained, in evaluation mode.
        data: repeated rows count as often as they are repeated; images beside the manifest's and
            class targets are in the last fit only, since copies cannot be left out of one another.
        precision: float32 or bfloat16, of the pass through the network.
        groups: per row of the manifest what must be left out together, or None.
        last_only: whether the head reads what the network's own head would.
    """
    network = network.to(machine.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    features = BlockFeatures(
        network, data.store, card,
        precision=precision, device=machine.device, cache=machine.cache,
    )  # fmt: skip
    rows, weights = _rows_and_weights(data)
    sample = _sample(rows, weights, data, groups, len(card.classes), machine.seed)
    helped = bool(data.policy) and len(rows) <= _COPIED
    copies = augmented(data.policy, machine.seed) if helped else None
    choice = level_choice.choose(
        features, sample,
        last_only=last_only, copies=copies, most_features=int(_MOST_BYTES / 4 / len(rows)),
    )  # fmt: skip
    out = choice.left_out
    honest = temperature.fit(_softmax(out.scores), sample.labels)
    levels = _levels(network, choice)
    solved = _solved(features, choice, rows, weights, data, machine)
    refitted = None
    if len(rows) <= refit.MOST_ROWS:
        joint = refit.add_rows(rows, weights, data.manifest.rows("val"), _labels(data))
        refitted = _solved(features, choice, *joint, data, machine)
    network = network.cpu()
    probabilities = temperature.scale(_softmax(out.scores), honest)
    accuracy, error = weighted_mean(out.right, sample.weights)
    return Fitted(
        refitted=None
        if refitted is None
        else copy.deepcopy(_with_head(network, levels, *refitted, honest)),
        network=_with_head(network, levels, *solved, honest),
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
    """List what the head reads; nothing where it is the network's own linear layer."""
    *_, last, _ = (name for name, _ in network.named_children())
    own = any(isinstance(module, nn.Linear) for module in network[-1].modules())
    return tuple(
        Level.model_validate({"block": block if block != TRUNK else last, "grid": grid})
        for block, grid in choice.keys
        if block != TRUNK or not own
    )


def _solved(
    features: BlockFeatures,
    choice: Choice,
    rows: np.ndarray,
    weights: np.ndarray,
    data: TrainingData,
    machine: Machine,
) -> tuple[np.ndarray, np.ndarray, ridge.Standard]:
    """Fit rows with what was chosen: weights (K, D) and offsets (K,) of standardised features."""
    found = features.of(rows, choice.keys)
    parts, labels = [found[key] for key in choice.keys], _labels(data)[rows]
    if choice.augmented:
        more = features.of(rows, choice.keys, changed=augmented(data.policy, machine.seed))
        parts = [np.concatenate([found[key], more[key]]) for key in choice.keys]
        labels, weights = np.tile(labels, 2), np.tile(weights, 2)
    parts, labels, weights = _filled(parts, labels, weights, data, machine)
    standard = ridge.Standard.of(parts, weights)
    weight, offset = ridge.solve(
        np.concatenate(parts, axis=1), labels, standard=standard,
        num_classes=len(data.manifest.classes), weights=weights, penalty=choice.left_out.penalty,
    )  # fmt: skip
    return weight, offset, standard


def _sample(
    rows: np.ndarray,
    weights: np.ndarray,
    data: TrainingData,
    groups: Sequence[str | None],
    num_classes: int,
    seed: int,
) -> Sample:
    """Of the manifest's own rows: copies of a row cannot be left out of one another's fit."""
    own = np.flatnonzero(rows < len(data.manifest))
    at = own[level_choice.draw(data.manifest.labels[rows[own]], np.random.default_rng(seed))]
    return Sample(
        rows=rows[at],
        labels=data.manifest.labels[rows[at]],
        weights=weights[at],
        groups=level_choice.number_groups([groups[row] for row in rows[at]]),
        num_classes=num_classes,
    )


def _rows_and_weights(data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of the store, ascending, and what each counts: repeats times class weight."""
    rows, counts = np.unique(data.indices, return_counts=True)
    return rows, counts * data.rows.class_weights[_labels(data)[rows]]


def _labels(data: TrainingData) -> np.ndarray:
    """Of every row of the store, int64."""
    return np.concatenate([data.manifest.labels, data.extra_labels])


def _filled(
    parts: list[np.ndarray],
    labels: np.ndarray,
    weights: np.ndarray,
    data: TrainingData,
    machine: Machine,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The rows, and the synthetic ones that a rebalancing strategy asks for."""
    if data.rows.targets is None:
        return parts, labels, weights
    from thawline.training import synthetic

    joint = torch.from_numpy(np.concatenate(parts, axis=1))
    (filled,), more = synthetic.fill_up([joint], labels, data.rows.targets, seed=machine.seed)
    ends = np.cumsum([part.shape[1] for part in parts])[:-1]
    every = np.concatenate([weights, np.full(len(more) - len(labels), weights.mean())])
    return np.split(filled.numpy(), ends, axis=1), more, every


def _with_head(
    network: Network,
    levels: Sequence[Level],
    weight: np.ndarray,
    offset: np.ndarray,
    standard: ridge.Standard,
    honest: float,
) -> Network:
    """The network with the solved head, the temperature within its weights."""
    weight, offset = weight / honest, offset / honest
    if levels:
        network = read_levels(
            network, levels, num_features=weight.shape[1], num_classes=len(offset)
        )
        standardise = network.get_submodule("head.0")
        assert isinstance(standardise, Standardise)
        standardise.mean.copy_(torch.from_numpy(standard.mean))
        standardise.scale.copy_(torch.from_numpy(standard.scale))
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
