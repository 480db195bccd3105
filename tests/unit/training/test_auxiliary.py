"""Auxiliary classifiers: in training alone, with their weight, and without a trace afterwards."""

import copy

import torch
from torch import nn

from thawline import network
from thawline.auxiliary import WithAuxiliary, taken
from thawline.training.freezing import freeze


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
