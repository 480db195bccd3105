"""Batches are a function of the seed and the epoch, whoever makes them."""

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from thawline.features.extract import compute_views
from thawline.models import device
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.training.context import Machine, TrainingData
from thawline.training.examples import HeldExamples, ImageExamples, order
from thawline.training.recipe import Recipe
from thawline.training.train import train

CPU = torch.device("cpu")


@given(
    count=st.integers(1, 200),
    batch_size=st.integers(2, 70),
    seed=st.integers(0, 2**32 - 1),
    epoch=st.integers(0, 1000),
)
def test_an_epoch_is_every_position_once(
    count: int, batch_size: int, seed: int, epoch: int
) -> None:
    batches = order(count, batch_size, seed=seed, epoch=epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    sizes = [len(batch) for batch in batches]
    assert all(size == batch_size for size in sizes[:-1])
    assert count == 1 or min(sizes) >= 2, "batch norm has no variance over one example"
    assert max(sizes) <= batch_size + 1


def test_order_differs_by_epoch_and_seed() -> None:
    orders = {
        tuple(order(50, 50, seed=seed, epoch=epoch)[0]) for seed in range(3) for epoch in range(3)
    }
    assert len(orders) == 9


def image_examples(data: TrainingData, workers: int = 0) -> ImageExamples:
    return ImageExamples(
        data.store,
        data.rows.indices,
        data.labels,
        data.policy,
        batch_size=16,
        seed=0,
        workers=workers,
    )


def test_workers_do_not_change_the_batches(data: TrainingData) -> None:
    for epoch in (0, 1):
        alone = list(image_examples(data, 0).epoch(epoch))
        others = list(image_examples(data, 2).epoch(epoch))
        assert len(alone) == len(others) == 4
        for (images, labels), (images_2, labels_2) in zip(alone, others, strict=True):
            assert torch.equal(images, images_2)
            assert torch.equal(labels, labels_2)
            assert images.dtype == torch.uint8


def test_workers_live_as_long_as_the_examples(data: TrainingData) -> None:
    examples = image_examples(data, 2)
    before = set(multiprocessing.active_children())
    list(examples.epoch(0))
    first = set(multiprocessing.active_children()) - before
    list(examples.epoch(1))
    assert set(multiprocessing.active_children()) - before == first
    assert len(first) == 2


def test_auto_takes_workers_beside_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    assert device.workers("auto", CPU) == 0
    assert device.workers("auto", gpu) == 5
    assert device.workers("auto", gpu, processes=2) == 2
    assert device.workers("auto", gpu, processes=8) == 0
    assert device.workers(3, CPU) == device.workers(3, gpu) == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert device.workers("auto", gpu) == 8


def test_an_epoch_is_the_same_whatever_was_asked_before(data: TrainingData) -> None:
    fresh, used = image_examples(data), image_examples(data)
    list(used.epoch(0))
    for (a, _), (b, _) in zip(fresh.epoch(3), used.epoch(3), strict=True):
        assert torch.equal(a, b)


def in_order(batches: list[torch.Tensor], count: int, epoch: int) -> torch.Tensor:
    positions = np.concatenate(order(count, 16, seed=0, epoch=epoch))
    return torch.cat(batches)[torch.from_numpy(np.argsort(positions))]


def test_repeated_rows_are_different_views_with_the_same_label(data: TrainingData) -> None:
    assert data.rows.indices[:3].tolist() == [0, 0, 0]
    batches = list(image_examples(data).epoch(0))
    images = in_order([images for images, _ in batches], len(data.rows.indices), 0)
    labels = in_order([labels for _, labels in batches], len(data.rows.indices), 0)
    assert len({image.numpy().tobytes() for image in images[:3]}) == 3
    assert labels.tolist() == data.labels.tolist()


def test_views_of_cached_features_are_those_of_image_training(
    data: TrainingData, card: ModelConfig
) -> None:
    views = compute_views(
        nn.Flatten(),
        data.store,
        data.rows.indices,
        card.model_copy(update={"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}),
        data.policy,
        num_views=2,
        seed=0,
        precision="float32",
        device=CPU,
    )
    assert len(views) == 2
    for epoch, view in enumerate(views):
        images = in_order([i for i, _ in image_examples(data).epoch(epoch)], len(view), epoch)
        shown = view.reshape(-1, 3, 32, 32).permute(0, 2, 3, 1) * 255
        assert torch.equal(shown.round().to(torch.uint8), images)


def test_epochs_take_the_views_in_turn() -> None:
    views = [torch.full((5, 2), float(v)) for v in range(3)]
    examples = HeldExamples(views=views, labels=torch.arange(5), batch_size=5, seed=0)
    for epoch in range(7):
        ((inputs, labels),) = examples.epoch(epoch)
        assert (inputs == epoch % 3).all()
        assert sorted(labels.tolist()) == list(range(5))


def test_without_a_policy_one_view_is_enough(data: TrainingData, card: ModelConfig) -> None:
    views = compute_views(
        nn.Flatten(), data.store, data.rows.indices, card, [],
        num_views=5, seed=0, precision="float32", device=CPU,
    )  # fmt: skip
    assert len(views) == 1


@pytest.mark.parametrize(("trainable", "num_blocks"), [("head", 0), ("last_blocks", 1)])
def test_training_is_the_same_with_workers(
    lite0: Network,
    card: ModelConfig,
    data: TrainingData,
    recipe: Callable[..., Recipe],
    trainable: str,
    num_blocks: int,
) -> None:
    start = {key: value.clone() for key, value in lite0.state_dict().items()}
    states = []
    for workers in (0, 2):
        lite0.load_state_dict(start)
        machine = Machine(device=CPU, precision="float32", workers=workers, seed=0)
        torch.manual_seed(0)  # of dropout
        chosen = recipe(trainable=trainable, num_blocks=num_blocks, epochs=1)
        history = train(lite0, card, data, chosen, machine, lambda *_: None)
        states.append(({k: v.clone() for k, v in lite0.state_dict().items()}, history.epochs))
    assert states[0][1] == states[1][1]
    assert all(torch.equal(value, states[1][0][key]) for key, value in states[0][0].items())


def test_extra_images_follow_the_rows(data: TrainingData) -> None:
    more = replace(data, extra_labels=np.array([2, 1]))
    assert more.indices[-3:].tolist() == [data.rows.indices[-1], 90, 91]
    assert more.labels[-2:].tolist() == [2, 1]
    assert more.labels[:-2].tolist() == data.labels.tolist()
