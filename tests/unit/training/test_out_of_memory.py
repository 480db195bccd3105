"""What is said when memory ends, and how many images fit."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.repo.code_graph import ROOT
from thawline.errors import UserError
from thawline.models.checkpoint import ModelConfig
from thawline.models.network import Network
from thawline.params import params_file as files
from thawline.training import batch_size, out_of_memory
from thawline.training.context import Machine, TrainingData
from thawline.training.recipe import Recipe
from thawline.training.train import train

CPU = Machine(device=torch.device("cpu"), precision="float32", workers=0, seed=0)
MOST = 5
TOO_MUCH = 1 << 50


class Hungry(nn.Module):
    """Asks for a petabyte, in vain, as soon as a batch is larger than it likes."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > MOST:
            torch.empty(TOO_MUCH, dtype=torch.uint8)
        return images


def test_too_large_a_batch_is_one_message_that_names_it(
    small: Network, card: ModelConfig, data: TrainingData, recipe: Callable[..., Recipe]
) -> None:
    hungry = nn.Sequential(OrderedDict([("hungry", Hungry()), *small.named_children()]))
    chosen = recipe(trainable="all", batch_size=16)
    with pytest.raises(UserError) as refused:
        train(hungry, card, data, chosen, CPU, lambda *_: None)
    assert str(refused.value) == (
        "params.yaml: training.batch_size: 16 images at a time do not fit into the memory of cpu; "
        "try 8 with twice the fine_tune.accumulate, or smaller images"
    )


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_every_kind_of_shortage_is_known(error: Exception, recipe: Callable[..., Recipe]) -> None:
    with (
        pytest.raises(UserError, match=r"training.batch_size: 16 images"),
        out_of_memory.translate_errors(recipe(), torch.device("cpu")),
    ):
        raise error


def test_another_error_stays_as_it_is(recipe: Callable[..., Recipe]) -> None:
    with (
        pytest.raises(RuntimeError, match="shapes cannot be multiplied"),
        out_of_memory.translate_errors(recipe(), torch.device("cpu")),
    ):
        torch.ones(2, 3) @ torch.ones(2, 3)


def test_auto_halves_until_a_step_fits() -> None:
    tried = []

    def attempt(size: int) -> None:
        tried.append(size)
        Hungry()(torch.empty(size, 1))

    assert batch_size.largest(attempt) == 4
    assert tried == [256, 128, 64, 32, 16, 8, 4]


def test_auto_says_so_when_nothing_fits() -> None:
    with pytest.raises(UserError, match="not even 2 images"):
        batch_size.largest(lambda size: torch.empty(TOO_MUCH) and None)


def test_auto_does_not_hide_another_error() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        batch_size.largest(lambda size: torch.ones(2, 3) @ torch.ones(2, 3) and None)


def test_the_step_that_is_tried_leaves_the_network_as_it_was(
    small: Network, card: ModelConfig
) -> None:
    before = {name: value.clone() for name, value in small.state_dict().items()}
    batch_size._try(4, small, card, CPU)
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())


@pytest.mark.parametrize(("given", "taken"), [(7, 7), ("auto", batch_size.ON_CPU)])
def test_auto_on_a_cpu_tries_nothing(
    small: Network,
    card: ModelConfig,
    monkeypatch: pytest.MonkeyPatch,
    given: int | str,
    taken: int,
) -> None:
    def attempt(*_: object) -> None:
        raise AssertionError("what fits into a CPU's memory has no edge")

    monkeypatch.setattr(batch_size, "_try", attempt)
    read = files.load(ROOT / "params.yaml")
    training = read.training.model_copy(update={"batch_size": given})
    chosen = read.model_copy(update={"training": training})
    assert batch_size.choose(chosen, small, card, CPU) == taken
