"""The last fit, with the validation rows too."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from thawline.errors import UserError
from thawline.models.checkpoint import WEIGHTS
from thawline.training.refit import FILE, Refit, add_rows


def test_each_class_counts_as_much_as_before() -> None:
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 1, 1, 0])
    rows, weights = np.array([0, 1, 2, 3, 4]), np.array([1.0, 1.0, 2.0, 4.0, 8.0])
    joint, raised = add_rows(rows, weights, np.array([5, 6, 7, 8]), labels)
    assert joint.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    before = np.bincount(labels[rows], weights)
    np.testing.assert_allclose(np.bincount(labels[joint], raised), before)
    # Within a class an added row is a row like the average, and the others keep their ratios.
    assert raised[5] == pytest.approx(raised[:3].mean())
    np.testing.assert_allclose(raised[:3] / raised[0], [1, 1, 2])


def network(value: float) -> nn.Sequential:
    made = nn.Sequential(OrderedDict(block=nn.Linear(4, 4), head=nn.Sequential(nn.Linear(4, 2))))
    for parameter in made.parameters():
        nn.init.constant_(parameter, value)
    return made


def saved(folder: Path, value: float) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(network(value).state_dict(), folder / WEIGHTS)
    return folder


def made(value: float) -> Refit:
    return Refit.from_network(network(value), np.full((3, 2), 0.5, np.float32))


def test_the_head_alone_is_replaced_where_the_start_was_kept(tmp_path: Path) -> None:
    start, kept, tuned = (saved(tmp_path / str(at), at // 2) for at in range(3))
    trained = network(0)
    assert Refit.read(start) is None
    made(5).write(start)
    last = Refit.read(start)
    assert last is not None
    assert last.validation.shape == (3, 2)
    assert not last.apply(trained, start, tuned), "tuned weights go with a head of their own"
    assert bool((trained.head[0].weight == 0).all())
    assert last.apply(trained, start, kept)
    assert bool((trained.head[0].weight == 5).all())
    assert bool((trained.block.weight == 0).all())


def test_a_head_of_another_network_is_named(tmp_path: Path) -> None:
    start, kept = saved(tmp_path / "start", 0), saved(tmp_path / "kept", 0)
    other = Refit(head={"head.0.bias": torch.ones(3)}, validation=np.ones((3, 2)))
    with pytest.raises(UserError, match=rf"start/{FILE}: not the head of .*{WEIGHTS}"):
        other.apply(network(0), start, kept)


@pytest.mark.parametrize("whole", [True, False])
def test_a_damaged_file_is_named(tmp_path: Path, whole: bool) -> None:
    if whole:
        save_file({"head.0.bias": torch.ones(2)}, tmp_path / FILE)
    else:
        (tmp_path / FILE).write_bytes(b"nothing")
    with pytest.raises(UserError, match=f"{FILE}: cannot be read"):
        Refit.read(tmp_path)
