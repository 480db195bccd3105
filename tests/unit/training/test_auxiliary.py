"""Auxiliary classifiers: in training alone, with their weight, and without a trace afterwards."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from thawline.models import network
from thawline.models.auxiliary_heads import WithAuxiliary, taken
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import Machine, TrainingData
from thawline.training.freezing import freeze
from thawline.training.recipe import Recipe
from thawline.training.train import train


def block() -> WithAuxiliary:
    torch.manual_seed(0)
    return WithAuxiliary(nn.Linear(4, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 3)), weight=0.3)


def test_the_output_is_the_body_s() -> None:
    part, images = block(), torch.randn(2, 4)
    assert torch.equal(part.train()(images), part.body(images))


def test_logits_can_be_taken_once() -> None:
    part = block().train()
    part(torch.randn(2, 4))
    ((logits, weight),) = taken(nn.Sequential(part))
    assert logits.shape == (2, 3)
    assert weight == 0.3
    assert list(taken(part)) == []
    copy.deepcopy(part)


def test_none_in_evaluation_and_none_of_a_frozen_classifier() -> None:
    part = block()
    part.eval()(torch.randn(2, 4))
    assert list(taken(part)) == []
    part.train().requires_grad_(False)(torch.randn(2, 4))
    assert list(taken(part)) == []


def test_googlenet_has_two_and_loses_them_with_a_frozen_trunk() -> None:
    net = network.build("inception", "googlenet", num_classes=3, dropout=0.0, seed=0)
    images = torch.randn(2, 3, 32, 32)
    freeze(net, "all").train_mode(net)
    net(images)
    assert [weight for _, weight in taken(net)] == [0.3, 0.3]
    freeze(net, "last_blocks", 1).train_mode(net)
    net(images)
    assert list(taken(net)) == []


def test_training_reaches_them(
    card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe], small: Network
) -> None:
    beside = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))
    small.middle = WithAuxiliary(small.middle, beside, weight=0.3)
    before = [p.detach().clone() for p in beside.parameters()]
    machine = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)
    made = recipe(trainable="all", epochs=1, learning_rate=0.001, weight_decay=0.0)
    train(small, card, data, made, machine, lambda number, judged: None)
    after = beside.parameters()
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
