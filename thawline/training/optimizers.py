"""Optimisers and learning-rate schedules, from PyTorch."""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from thawline.network import Network


def parameter_groups(
    network: Network, learning_rate: float, layer_decay: float
) -> list[dict[str, object]]:
    """Parameters that train, per block; rates fall by layer_decay per block away from the head.

    Layer-wise decay after Howard and Ruder, 2018, "Universal language model fine-tuning".
    """
    groups: list[dict[str, object]] = []
    distance = 0
    for block in reversed(list(network)):
        parameters = [p for p in block.parameters() if p.requires_grad]
        if parameters:
            groups.append({"params": parameters, "lr": learning_rate * layer_decay**distance})
        if any(True for _ in block.parameters()):
            distance += 1
    return groups


def optimizer(
    name: str, groups: list[dict[str, object]], *, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    """One of adam, adamw, sgd (Nesterov's momentum when there is momentum), adagrad, adadelta."""
    if name == "sgd":
        return torch.optim.SGD(
            groups, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0
        )
    kinds: dict[str, type[torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adagrad": torch.optim.Adagrad,
        "adadelta": torch.optim.Adadelta,
    }
    return kinds[name](groups, weight_decay=weight_decay)  # type: ignore[call-arg]


def schedule(
    optimizer: torch.optim.Optimizer, name: str, *, num_steps: int, warmup_ratio: float
) -> LambdaLR:
    """Linear warm-up, then cosine to zero (Loshchilov and Hutter, 2017) or constant; per step."""
    warmup = warmup_ratio * num_steps

    def factor(step: int) -> float:
        rise = min(1.0, (step + 1) / warmup) if warmup >= 1 else 1.0
        fall = 0.5 + 0.5 * math.cos(math.pi * step / num_steps) if name == "cosine" else 1.0
        return rise * fall

    return LambdaLR(optimizer, factor)


def averaged(network: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """Exponential moving average of parameters and buffers, updated once a step."""
    average = torch.optim.swa_utils.get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=average, use_buffers=True)
