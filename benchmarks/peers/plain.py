"""A plain PyTorch loop after torchvision's reference recipe, fine-tuning the whole network.

github.com/pytorch/vision, references/classification/train.py and presets.py: random resized crops
and mirroring, SGD with momentum 0.9 and weight decay 1e-4, its learning rate of 0.1 for batches of
256 scaled to the batch, cosine schedule by the epoch, label smoothing 0.1 of its newer recipe.
Longer recipes' parts (TrivialAugment, mixup, cutmix, the average of weights) slow so short a
training down and are left out. Two things from PyTorch's own pages: the weights of the best epoch
are kept (tutorial on transfer learning), and tensors are channels-last, which is quicker on a CPU
(performance tuning guide).
"""

import copy

import torch
from torch import nn

from benchmarks.peers import in_torch
from benchmarks.peers.task import Clock, Task, given, hand_in


def main(task: Task) -> None:
    torch.set_num_threads(task.threads)
    torch.manual_seed(task.seed)
    clock = Clock()
    trunk = in_torch.trunk(task)
    network = nn.Sequential(trunk, in_torch.head(task, trunk))
    network = network.to(memory_format=torch.channels_last)
    loaders = in_torch.loaders(task)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.1 * task.batch_size / 256, momentum=0.9, weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.epochs)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    best, kept = -1.0, network.state_dict()
    for _ in range(task.epochs):
        network.train()
        for images, labels in loaders["train"]:
            loss = loss_of(network(images.to(memory_format=torch.channels_last)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        reached = in_torch.accuracy(network, loaders["val"])
        if reached > best:
            best, kept = reached, copy.deepcopy(network.state_dict())
        clock.epoch(reached)
    network.load_state_dict(kept)
    hand_in(task, in_torch.predict(network, loaders["test"]).numpy())


if __name__ == "__main__":
    main(given(__doc__))
