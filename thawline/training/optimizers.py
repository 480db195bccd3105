"""Build optimisers and weight averages, from PyTorch's."""

from typing import Any

import torch
from torch import nn

from thawline.models.network import Network

_FUSED = ("adam", "adamw", "sgd")
_Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]


def parameter_groups(
    network: Network, learning_rate: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Group the parameters that train by block; rates fall by layer_decay per block from the head.

    Layer-wise decay after Howard and Ruder, 2018, "Universal language model fine-tuning".
    """
    groups: list[dict[str, Any]] = []
    distance = 0
    for block in reversed(list(network)):
        parameters = [p for p in block.parameters() if p.requires_grad]
        if parameters:
            groups.append({"params": parameters, "lr": learning_rate * layer_decay**distance})
        if any(True for _ in block.parameters()):
            distance += 1
    return groups


def optimizer(
    name: str,
    groups: list[dict[str, Any]],
    *,
    momentum: float,
    weight_decay: float,
    nesterov: bool = True,
) -> torch.optim.Optimizer:
    """Build adam, adamw, sgd (with Nesterov's momentum if there is any), adagrad or adadelta.

    Fused, in one pass over parameters, gradients and state, where PyTorch has that, on a CPU too. A
    fused step reads them as they lie in memory: gradients of autograd lie as their parameters do,
    and state that is loaded has to.
    """
    fused: dict[str, Any] = {"fused": True} if name in _FUSED else {}
    if name == "sgd":
        nesterov = nesterov and momentum > 0
        return torch.optim.SGD(
            groups, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, **fused
        )
    kinds: dict[str, type[torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad,
        "adadelta": torch.optim.Adadelta,
    }
    return kinds[name](groups, weight_decay=weight_decay, **fused)  # type: ignore[call-arg]


def averaged(network: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """Build an exponential moving average of parameters and buffers, updated once a step.

    The decay of step t is at most (1 + t) / (10 + t), as in TensorFlow's average: else the weights
    that training began with would weigh on the first 1 / (1 - decay) steps and more.
    """

    def average(own: _Tensors, others: _Tensors, step: torch.Tensor | int) -> None:
        now = min(decay, (1 + int(step)) / (10 + int(step)))
        torch.optim.swa_utils.get_ema_multi_avg_fn(now)(own, others, step)  # type: ignore[no-untyped-call]

    return torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=average, use_buffers=True)
