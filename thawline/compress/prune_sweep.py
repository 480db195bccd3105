"""Prune a network to each ratio of params, let it recover, and pick one."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from thawline.compress.curve import Point, choose, write
from thawline.compress.prune import prune
from thawline.compress.recovery import Recovery
from thawline.cost.flops import num_macs, num_parameters
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.params.schema.whole import Params
from thawline.runtime.progress import log


@dataclass(frozen=True, kw_only=True)
class Shrunk:
    """Pruned network, and the curve that it was chosen from.

    Attributes:
        network: network that was chosen.
        card: its configuration, with the channels that its layers have left.
        points: one per ratio, ascending.
        whole_macs: multiply-accumulates of the network as it was, of one image.
        chosen: point of that network.
        reason: why it was chosen.
    """

    network: Network
    card: ModelConfig
    points: tuple[Point, ...]
    whole_macs: int
    chosen: Point
    reason: str

    def record(self, path: Path) -> dict[str, Any]:
        """Write the curve; return what the metrics hold of it."""
        write(path, self.points)
        return {**asdict(self.chosen), "whole_macs": self.whole_macs, "reason": self.reason}


def shrink(network: Network, card: ModelConfig, params: Params) -> Shrunk:
    """Prune to each ratio of params, starting anew from the network, and choose a point.

    `network` is on the CPU, in evaluation mode, and stays as it is.

    Raises:
        UserError: the network cannot be pruned.
    """
    recovery, made = Recovery(card, params), []
    for ratio in sorted(set(params.compress.prune.ratio)):
        smaller, its_card = network, card
        if ratio:
            smaller, its_card = _pruned(network, card, params, recovery, ratio)
        point = _measure(smaller, card, ratio, recovery.val_accuracy(smaller))
        log(f"compress: {point}")
        made.append((smaller, its_card, point))
    points = tuple(point for *_, point in made)
    budget = params.budget
    chosen, reason = choose(
        points, min_accuracy=budget.min_accuracy, max_size_mb=budget.max_size_mb
    )
    smaller, its_card, _ = made[points.index(chosen)]
    return Shrunk(
        network=smaller,
        card=its_card,
        points=points,
        whole_macs=num_macs(network, card.image_size_px),
        chosen=chosen,
        reason=reason,
    )


def _pruned(
    network: Network, card: ModelConfig, params: Params, recovery: Recovery, ratio: float
) -> tuple[Network, ModelConfig]:
    recovery.begin()
    smaller, channels = prune(
        network,
        ratio=ratio,
        image_size_px=card.image_size_px,
        seed=params.seed,
        backward=recovery.backward,
        recover=recovery.train,
        **params.compress.prune.model_dump(exclude={"ratio", "epochs"}),
    )
    return smaller, card.model_copy(update={"channels": channels})


def _measure(network: Network, card: ModelConfig, ratio: float, val_accuracy: float) -> Point:
    return Point(
        ratio=ratio,
        val_accuracy=val_accuracy,
        macs=num_macs(network, card.image_size_px),
        parameters=num_parameters(network),
        bytes=sum(tensor.nbytes for tensor in network.state_dict().values()),
    )
