"""What the racers that are plain PyTorch underneath have in common: network, images, scores."""

from typing import cast

import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

from benchmarks.peers.task import WEIGHTS, Task

_EVAL_BATCH = 64
Loader = DataLoader[tuple[torch.Tensor, torch.Tensor]]


def trunk(task: Task) -> nn.Module:
    """The network up to its pooled features, float32 (B, D), with the weights of all racers."""
    network: nn.Module = timm.create_model(task.network, num_classes=0)
    network.load_state_dict(load_file(task.folder / WEIGHTS))
    return network


def head(task: Task, network: nn.Module) -> nn.Module:
    """A new classifier on it, drawn as PyTorch draws a linear layer.

    timm's own draw is for 1,000 classes: with ten the first loss is three times as high.
    """
    linear = nn.Linear(cast("int", network.num_features), len(task.classes))
    return nn.Sequential(nn.Dropout(task.dropout), linear)


def loaders(task: Task) -> dict[str, Loader]:
    """Of each split. No workers: on a CPU they take the cores that train."""
    to_input = [T.ToTensor(), T.Normalize(task.mean, task.std)]
    crop = T.RandomResizedCrop(task.size_px, scale=(task.least_area, 1.0))
    flip = [T.RandomHorizontalFlip()] if task.mirror else []
    train = ImageFolder(str(task.folder / "train"), T.Compose([crop, *flip, *to_input]))
    found = {"train": DataLoader(train, task.batch_size, shuffle=True, num_workers=0)}
    for split in ("val", "test"):
        images = ImageFolder(str(task.folder / split), T.Compose(to_input))
        found[split] = DataLoader(images, _EVAL_BATCH, num_workers=0)
    return found


def predict(network: nn.Module, loader: Loader) -> torch.Tensor:
    """The class of each image, int64 (N,)."""
    network.eval()
    with torch.inference_mode():
        found = [
            network(images.to(memory_format=torch.channels_last)).argmax(dim=1)
            for images, _ in loader
        ]
    return torch.cat(found)


def accuracy(network: nn.Module, loader: Loader) -> float:
    labels = torch.tensor(cast("ImageFolder", loader.dataset).targets)
    return float((predict(network, loader) == labels).double().mean())
