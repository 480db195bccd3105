"""Fit the head in closed form on the frozen network, on the best group of its blocks.

This is the first answer: one pass over the images, and a network that ends after the last block
that its head reads.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from thawline.checkpoint import ModelCard
from thawline.evaluation import temperature
from thawline.evaluation.accuracy import score
from thawline.inference import images_at_once
from thawline.multilevel import Level, Standardise, read_levels
from thawline.network import Network
from thawline.norm_folding import folded
from thawline.progress import track
from thawline.training import ridge
from thawline.training.feature_cache import of_trunk
from thawline.training.levels import TRUNK, Key, candidates, extract, joined, levels_of
from thawline.training.profile import GroupScore, HeadFit
from thawline.training.setting import Machine, TrainingData

MAX_ROWS = 1200
"""By which groups of blocks and penalties are judged: a share of 0.9 is then known to 0.9 points.
A decomposition grows with the third power of the rows: 0.3 s each here, of some fifteen."""
MOST_LOST = 0.005
"""Of accuracy: less network is taken for no more than this, and never for more than a standard
error of the difference."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The first answer.

    Attributes:
        network: cut after the last level, on the CPU, in evaluation mode.
        levels: that the head reads; none where it reads what the network's own head would.
        fit: how it was chosen, as plain values.
    """

    network: Network
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
    trunk = _Trunk(network, card, data, machine, precision)
    rows, weights = _rows_and_weights(data)
    own = rows < len(data.manifest)
    sample = _sample(data.manifest.labels[rows[own]], np.random.default_rng(machine.seed))
    rows_judged, weights_judged = rows[own][sample], weights[own][sample]
    labels_judged = data.manifest.labels[rows_judged]
    features = trunk.features(rows_judged, [(TRUNK, 1)] if last_only else None)
    together = _numbers([groups[row] for row in rows_judged])
    judged = partial(
        _judge, labels=labels_judged, weights=weights_judged, groups=together,
        num_classes=len(card.classes),
    )  # fmt: skip
    tried = {
        keys: judged([features[key] for key in keys])
        for keys in track(candidates(list(features)), "groups of blocks")
    }
    chosen = _choose({keys: out.right for keys, out in tried.items()}, weights_judged)
    out = tried[chosen]
    chosen_features = {key: features[key] for key in chosen}
    if len(rows) > len(rows_judged):
        chosen_features = trunk.features(rows, chosen)
        every, fit_weights = rows, weights
    else:
        every, fit_weights = rows_judged, weights_judged
    labels = _labels(data)[every]
    parts, labels, fit_weights = _filled(
        chosen_features, chosen, labels, fit_weights, data, machine
    )
    standard = ridge.Standard.of(parts, fit_weights)
    together_features = standard.apply(np.concatenate(parts, axis=1))
    weight, offset = ridge.solve(
        together_features, labels, num_classes=len(card.classes), weights=fit_weights,
        penalty=out.penalty,
    )  # fmt: skip
    honest = temperature.fit(_softmax(out.scores), labels_judged)
    levels = levels_of(chosen)
    cut = _with_head(network.cpu(), levels, weight, offset, standard, honest)
    probabilities = temperature.scale(_softmax(out.scores), honest)
    accuracy, error = _mean(out.right.astype(float), weights_judged)
    summaries = {
        keys: GroupScore(
            blocks=tuple(_name(key) for key in keys),
            num_features=sum(features[key].shape[1] for key in keys),
            accuracy=_mean(one.right.astype(float), weights_judged)[0],
        )
        for keys, one in tried.items()
    }
    return Fitted(
        network=cut,
        levels=levels,
        fit=HeadFit(
            chosen=summaries[chosen],
            tried=tuple(summaries.values()),
            penalty=out.penalty,
            accuracy=accuracy,
            error=error,
            nll=score(probabilities, labels_judged).nll,
            num_rows=len(labels_judged),
            temperature=honest,
        ),
    )


class _Trunk:
    """Features of rows, kept between runs."""

    def __init__(
        self,
        network: Network,
        card: ModelCard,
        data: TrainingData,
        machine: Machine,
        precision: str,
    ) -> None:
        trunk = folded(network[:-1], data.store.image_size_px, machine.device)
        assert isinstance(trunk, nn.Sequential)
        self._trunk = trunk
        self._card, self._store = card, data.store
        self._machine, self._precision = machine, precision
        self._batch = images_at_once(data.store.image_size_px)

    def features(self, rows: np.ndarray, keys: Sequence[Key] | None) -> dict[Key, np.ndarray]:
        """float32 (N, D) of each key; None: of all there are."""
        machine = self._machine
        run = partial(
            extract, self._trunk, normalisation=self._card, keys=keys,
            precision=self._precision, device=machine.device,
        )  # fmt: skip
        first = joined(run(images=[self._store.take(rows[:1])]))
        ends = np.cumsum([part.shape[1] for part in first.values()])[:-1]

        def side_by_side() -> Iterator[np.ndarray]:
            total = -(-len(rows) // self._batch)
            batches = track(self._store.batches(rows, self._batch), "features of blocks", total)
            for found in run(images=batches):
                yield np.concatenate([found[key] for key in first], axis=1)

        if machine.cache is None:
            array = np.concatenate(list(side_by_side()))
        else:
            known_by = of_trunk(
                self._trunk, self._store, rows, self._card,
                precision=self._precision, device=machine.device,
            )  # fmt: skip
            known_by["levels"] = ", ".join(_name(key) for key in first)
            array = machine.cache.get(known_by, len(rows), side_by_side)
        return dict(zip(first, np.split(array, ends, axis=1), strict=True))


def _rows_and_weights(data: TrainingData) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows of the store, ascending, and what each counts: repeats times class weight."""
    rows, counts = np.unique(data.indices, return_counts=True)
    return rows, counts * data.rows.class_weights[_labels(data)[rows]]


def _labels(data: TrainingData) -> np.ndarray:
    """Of every row of the store, int64."""
    return np.concatenate([data.manifest.labels, data.extra_labels])


def _sample(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions of at most MAX_ROWS rows, ascending, each class by its share and at least once."""
    if len(labels) <= MAX_ROWS:
        return np.arange(len(labels))
    share = MAX_ROWS / len(labels)
    drawn = []
    for k in np.unique(labels):
        of_class = rng.permutation(np.flatnonzero(labels == k))
        drawn.append(of_class[: max(2, round(share * len(of_class)))])
    return np.sort(np.concatenate(drawn))


def _numbers(named: Sequence[str | None]) -> np.ndarray | None:
    """A number per row, equal in a group; None where there are no groups."""
    if all(name is None for name in named):
        return None
    keys = [name or f"\0{at}" for at, name in enumerate(named)]
    return np.unique(keys, return_inverse=True)[1]


def _judge(
    parts: Sequence[np.ndarray],
    *,
    labels: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray | None,
    num_classes: int,
) -> ridge.LeftOut:
    standard = ridge.Standard.of(parts, weights)
    return ridge.leave_out(
        standard.apply(np.concatenate(parts, axis=1)), labels, num_classes=num_classes,
        weights=weights, groups=groups,
    )  # fmt: skip


def _choose(right: Mapping[tuple[Key, ...], np.ndarray], weights: np.ndarray) -> tuple[Key, ...]:
    """The first group, so the one of the least network, that is as good as the best."""
    best = max(right.values(), key=lambda found: float(weights @ found))
    for keys, found in right.items():
        lost, error = _mean(best.astype(float) - found, weights)
        if lost <= min(MOST_LOST, error):
            return keys
    raise AssertionError("the best loses nothing against itself")


def _mean(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Weighted mean and its standard error."""
    share = weights / weights.sum()
    mean = float(share @ values)
    return mean, float(np.sqrt(np.square(share) @ np.square(values - mean)))


def _filled(
    features: Mapping[Key, np.ndarray],
    keys: Sequence[Key],
    labels: np.ndarray,
    weights: np.ndarray,
    data: TrainingData,
    machine: Machine,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The rows, and the synthetic ones that a rebalancing strategy asks for."""
    parts = [features[key] for key in keys]
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


def _name(key: Key) -> str:
    block, grid = key
    return "the last block" if block == TRUNK else f"{block} {grid}x{grid}"
