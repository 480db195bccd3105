"""Synthetic features lie between real ones of their class, and the real ones come first."""

import numpy as np
import torch

from thawline.training.feature_smote import fill_up

LABELS = np.repeat([0, 1, 2], [9, 4, 1])
TARGETS = np.array([9, 7, 5])


def views() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(14, 3, 1, 1, generator=generator) for _ in range(2)]


def test_fills_up_each_class_behind_the_given_rows() -> None:
    given = views()
    filled, labels = fill_up(given, LABELS, TARGETS, seed=0)
    assert np.bincount(labels).tolist() == [9, 7, 5]
    assert labels[:14].tolist() == LABELS.tolist()
    for before, after in zip(given, filled, strict=True):
        assert after.dtype == torch.float32
        assert after.shape == (21, 3, 1, 1)
        assert torch.equal(after[:14], before)


def test_a_synthetic_point_lies_between_two_of_its_class() -> None:
    given = views()[:1]
    filled, labels = fill_up(given, LABELS, TARGETS, seed=0)
    real = given[0].flatten(1).double()[LABELS == 1]
    for point in filled[0].flatten(1).double()[14:][labels[14:] == 1]:
        apart = torch.cdist(real, real)
        way_round = (real - point).norm(dim=1)
        detours = way_round[:, None] + way_round[None] - apart
        detours.fill_diagonal_(1.0)
        assert detours.min() < 1e-5
        assert way_round.min() > 0


def test_a_class_of_one_row_is_repeated() -> None:
    given = views()[:1]
    filled, labels = fill_up(given, LABELS, TARGETS, seed=0)
    alone = filled[0][torch.from_numpy(labels == 2)]
    assert torch.equal(alone, given[0][13:].expand(5, -1, -1, -1))


def test_is_a_function_of_the_seed() -> None:
    first, again, other = (fill_up(views(), LABELS, TARGETS, seed=s)[0] for s in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_nothing_to_fill_changes_nothing() -> None:
    given = views()
    filled, labels = fill_up(given, LABELS, np.array([9, 4, 1]), seed=0)
    assert labels.tolist() == LABELS.tolist()
    assert all(torch.equal(a, b) for a, b in zip(given, filled, strict=True))
