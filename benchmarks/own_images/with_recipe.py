"""Train as timm's and torchvision's recipes do: the head first, then all layers.

Three epochs of the head at AdamW 3e-3, then twelve of everything at AdamW 1e-3, one epoch of
warm-up and cosine; weight decay 0.05, label smoothing 0.1, random crops and mirroring. All training
rows train, and the last epoch's weights stand, so no validation rows are needed.
"""

import math

import numpy as np
import torch
from torch import nn

from benchmarks.own_images import in_torch as reading
from benchmarks.own_images.contest import Clock, due, main
from benchmarks.peers import in_torch
from benchmarks.peers.task import Task

_HEAD_EPOCHS, _EPOCHS = 3, 15
_HEAD_RATE, _RATE, _WEIGHT_DECAY = 3e-3, 1e-3, 0.05


def race(task: Task, clock: Clock) -> np.ndarray:
    """Train the head, then everything, and name the class of each test image."""
    reading.prepare(task)
    trunk = in_torch.trunk(task)
    head = in_torch.head(task, trunk)
    network = nn.Sequential(trunk, head).to(memory_format=torch.channels_last)
    train, test = reading.train_loader(task), reading.test_loader(task)
    steps = len(train)
    for parameter in trunk.parameters():
        parameter.requires_grad = False
    optimizer = torch.optim.AdamW(head.parameters(), _HEAD_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = _cosine(optimizer, 0, _HEAD_EPOCHS * steps)
    for epoch in range(1, _EPOCHS + 1):
        if epoch == _HEAD_EPOCHS + 1:
            for parameter in trunk.parameters():
                parameter.requires_grad = True
            parameters = network.parameters()
            optimizer = torch.optim.AdamW(parameters, _RATE, weight_decay=_WEIGHT_DECAY)
            schedule = _cosine(optimizer, steps, (_EPOCHS - _HEAD_EPOCHS) * steps)
        network.train()
        trunk.train(epoch > _HEAD_EPOCHS)
        _train(network, train, optimizer, schedule)
        if due(epoch, _EPOCHS):
            with clock.paused():
                predicted = reading.predict(network, test)
            clock.point(predicted)
    return predicted


def _train(
    network: nn.Module,
    loader: in_torch.Loader,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
) -> None:
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    for images, labels in loader:
        loss = loss_of(network(images.to(memory_format=torch.channels_last)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _cosine(
    optimizer: torch.optim.Optimizer, warmup: int, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    def share(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, share)


if __name__ == "__main__":
    main(__doc__, race)
