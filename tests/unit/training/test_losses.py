"""Focal loss, logit adjustment, and the warning when imbalance is corrected more than once."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from thawline.training import losses
from thawline.training.losses import Loss
from thawline.training.recipe import Recipe

Change = Callable[..., Recipe]
WEIGHTS = torch.tensor([0.5, 1.0, 3.0])
COUNTS = torch.tensor([900, 90, 10])
GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(50, 3, generator=GENERATOR)
LABELS = torch.randint(0, 3, (50,), generator=GENERATOR)


def built(recipe: Recipe, weights: torch.Tensor = WEIGHTS) -> Loss:
    return losses.build(recipe, class_weights=weights, class_counts=COUNTS)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_default_is_torch_s_cross_entropy_bit_by_bit(recipe: Change, smoothing: float) -> None:
    expected = functional.cross_entropy(LOGITS, LABELS, weight=WEIGHTS, label_smoothing=smoothing)
    assert torch.equal(built(recipe(label_smoothing=smoothing))(LOGITS, LABELS), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_with_gamma_zero_is_cross_entropy(recipe: Change, smoothing: float) -> None:
    chosen = recipe(loss="focal", focal_gamma=0.0, label_smoothing=smoothing)
    plain = built(recipe(label_smoothing=smoothing))(LOGITS, LABELS)
    assert float(built(chosen)(LOGITS, LABELS)) == pytest.approx(float(plain), rel=1e-6)


def test_focal_is_the_paper_s(recipe: Change) -> None:
    p = torch.softmax(LOGITS.double(), dim=1)[torch.arange(50), LABELS]
    expected = (-((1 - p) ** 2) * p.log()).mean()
    found = built(recipe(loss="focal"), torch.ones(3))(LOGITS, LABELS)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_focal_counts_easy_images_less(recipe: Change) -> None:
    easy, hard = torch.tensor([[4.0, 0, 0]]), torch.tensor([[0.0, 1, 1]])
    label = torch.tensor([0])
    plain, focal = (built(recipe(loss=name)) for name in ("cross_entropy", "focal"))
    assert focal(easy, label) / plain(easy, label) < 0.01
    assert focal(hard, label) / plain(hard, label) > 0.5


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 10.0])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_gradients_are_finite_for_sure_networks(recipe: Change, gamma: float, scale: float) -> None:
    logits = (scale * functional.one_hot(LABELS, 3).float()).requires_grad_()
    for sign in (1.0, -1.0):
        chosen = recipe(loss="focal", focal_gamma=gamma, logit_adjustment=1.0)
        built(chosen)(sign * logits, LABELS).backward()
        assert torch.isfinite(logits.grad).all()


def test_logit_adjustment_adds_the_log_frequencies(recipe: Change) -> None:
    adjusted = LOGITS + 1.5 * torch.log(COUNTS / 1000)
    expected = functional.cross_entropy(adjusted, LABELS, weight=WEIGHTS)
    found = built(recipe(logit_adjustment=1.5))(LOGITS, LABELS)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


def test_a_network_that_knows_only_frequencies_learns_nothing_from_them(recipe: Change) -> None:
    """With tau 1 equal logits already are the frequencies: the mean gradient is zero."""
    logits = torch.zeros(1000, 3, requires_grad=True)
    labels = torch.repeat_interleave(torch.arange(3), COUNTS)
    built(recipe(logit_adjustment=1.0), torch.ones(3))(logits, labels).backward()
    assert logits.grad.sum(dim=0).abs().max() < 1e-6


def test_a_class_without_rows_does_not_spoil_the_loss(recipe: Change) -> None:
    chosen = recipe(logit_adjustment=1.0, label_smoothing=0.1)
    loss = losses.build(chosen, class_weights=WEIGHTS, class_counts=torch.tensor([5, 5, 0]))
    assert torch.isfinite(loss(LOGITS, LABELS))


EVEN, TAIL = np.array([400, 400, 400]), np.array([900, 90, 10])
ONES, UNEQUAL = np.ones(3), np.array([0.4, 4.0, 33.0])


@pytest.mark.parametrize(
    ("after", "weights", "tau", "named"),
    [
        (TAIL, ONES, 0.0, []),
        (EVEN, ONES, 0.0, []),
        (TAIL, UNEQUAL, 0.0, []),
        (TAIL, ONES, 1.0, []),
        (EVEN, ONES, 1.0, ["rebalanced rows", "fine_tune.logit_adjustment 1"]),
        (TAIL, UNEQUAL, 1.0, ["class weights", "fine_tune.logit_adjustment 1"]),
        (EVEN, UNEQUAL, 0.0, ["rebalanced rows", "class weights"]),
    ],
)
def test_two_corrections_are_named(
    recipe: Change, after: np.ndarray, weights: np.ndarray, tau: float, named: list[str]
) -> None:
    chosen = recipe(logit_adjustment=tau)
    found = losses.corrected_twice(chosen, before=TAIL, after=after, class_weights=weights)
    assert bool(found) == bool(named)
    assert all(part in found for part in named)


EVERY_LOSS = pytest.mark.parametrize(
    "changes",
    [
        {"loss": loss, "focal_gamma": gamma, "label_smoothing": smoothing, "logit_adjustment": tau}
        for loss, gamma in (("cross_entropy", 0.0), ("focal", 0.0), ("focal", 2.0))
        for smoothing in (0.0, 0.1)
        for tau in (0.0, 1.0)
    ],
    ids=str,
)


@EVERY_LOSS
def test_shares_of_one_class_are_that_class(recipe: Change, changes: dict[str, object]) -> None:
    loss = built(recipe(**changes))
    shares = functional.one_hot(LABELS, 3).float()
    assert float(loss(LOGITS, shares)) == pytest.approx(float(loss(LOGITS, LABELS)), rel=1e-5)


@EVERY_LOSS
def test_shares_mix_the_losses_of_the_classes(recipe: Change, changes: dict[str, object]) -> None:
    loss, others = built(recipe(**changes), torch.ones(3)), LABELS.roll(1)
    one, other = (functional.one_hot(labels, 3).float() for labels in (LABELS, others))
    expected = 0.3 * loss(LOGITS, LABELS) + 0.7 * loss(LOGITS, others)
    found = loss(LOGITS, 0.3 * one + 0.7 * other)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_gradients_of_shares_are_finite_for_sure_networks(recipe: Change, name: str) -> None:
    logits = (1e4 * functional.one_hot(LABELS, 3).float()).requires_grad_()
    loss = built(recipe(loss=name, focal_gamma=0.5, label_smoothing=0.1))
    loss(logits, torch.full((50, 3), 1 / 3)).backward()
    assert torch.isfinite(logits.grad).all()
