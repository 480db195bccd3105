"""Build loss functions, with the corrections for unequal classes that a loss can make."""

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from thawline.training.recipe import Recipe

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Function of logits float32 (B, num_classes) and labels, to a scalar.

Labels are int64 (B,), or float32 (B, num_classes) that sum to 1, as mixed images have: the loss is
then the mean of the classes' losses in those shares, and that of the class alone where one is 1.
"""


def build(recipe: Recipe, *, class_weights: torch.Tensor, class_counts: torch.Tensor) -> Loss:
    """Build the training loss of a recipe; validation is judged on the plain logits.

    Logit adjustment adds tau * log(frequency of the class) to the logits while training, so that
    the network itself learns to do without the frequencies (Menon et al., 2021, "Long-tail learning
    via logit adjustment", equation 10). Its probabilities are then those of equally frequent
    classes.

    Args:
        recipe: loss, focal_gamma, label_smoothing and logit_adjustment.
        class_weights: factors, float32 (num_classes,), on the device of the logits.
        class_counts: training rows per class before rebalancing, (num_classes,), same device.
    """
    make = {"cross_entropy": _cross_entropy, "focal": _focal}[recipe.loss]
    loss = make(recipe, class_weights)
    if not recipe.logit_adjustment:
        return loss
    counts = class_counts.double().clamp_min(1)
    shift = (recipe.logit_adjustment * torch.log(counts / counts.sum())).float()
    return lambda logits, labels: loss(logits + shift, labels)


def corrected_twice(
    recipe: Recipe, *, before: np.ndarray, after: np.ndarray, class_weights: np.ndarray
) -> str:
    """Warn in one line when class imbalance is corrected more than once; else return "".

    `before` and `after` are the training rows per class before and after rebalancing, int64
    (num_classes,); `class_weights` are float64 (num_classes,).
    """
    made = []
    if np.abs(after / after.sum() - before / before.sum()).max() > 0.01:
        made.append("rebalanced rows")
    if np.ptp(class_weights) > 0:
        made.append("class weights")
    if recipe.logit_adjustment:
        made.append(f"{recipe.stage}.logit_adjustment {recipe.logit_adjustment:g}")
    if len(made) < 2:
        return ""
    return f"{' and '.join(made)} each correct the imbalance: rare classes count too much; keep one"


def _cross_entropy(recipe: Recipe, class_weights: torch.Tensor) -> Loss:
    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        smoothing = recipe.label_smoothing
        if labels.ndim == 1:
            return functional.cross_entropy(
                logits, labels, weight=class_weights, label_smoothing=smoothing
            )
        # With shares PyTorch's own mean divides by the images, not by their weights.
        each = functional.cross_entropy(
            logits, labels, weight=class_weights, label_smoothing=smoothing, reduction="none"
        )
        return each.sum() / (labels @ class_weights).sum()

    return loss


def _focal(recipe: Recipe, class_weights: torch.Tensor) -> Loss:
    """Build the focal loss: cross-entropy times (1 - p) ** gamma, p that of the true class.

    Easy images count less (Lin et al., 2017, "Focal loss for dense object detection", equation 5).
    It is averaged as cross-entropy is, over the weights, so that gamma 0 is cross-entropy.
    """

    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if labels.ndim == 2:
            return _focal_of_shares(recipe, class_weights, logits, labels)
        plain = functional.cross_entropy(
            logits,
            labels,
            weight=class_weights,
            label_smoothing=recipe.label_smoothing,
            reduction="none",
        )
        log_p = functional.log_softmax(logits, dim=1).gather(1, labels[:, None]).squeeze(1)
        # With gamma below 1 the slope at p = 1 is infinite, and the weights would become NaN.
        hard = (-torch.expm1(log_p)).clamp_min(1e-6) ** recipe.focal_gamma
        return (hard * plain).sum() / class_weights[labels].sum()

    return loss


def _focal_of_shares(
    recipe: Recipe, class_weights: torch.Tensor, logits: torch.Tensor, shares: torch.Tensor
) -> torch.Tensor:
    """Average the focal loss of each class in the given shares, float32 (B, num_classes)."""
    log_p = functional.log_softmax(logits, dim=1)
    weighted = -class_weights * log_p
    smoothing = recipe.label_smoothing
    plain = (1 - smoothing) * weighted + smoothing * weighted.mean(dim=1, keepdim=True)
    hard = (-torch.expm1(log_p)).clamp_min(1e-6) ** recipe.focal_gamma
    return (shares * hard * plain).sum() / (shares @ class_weights).sum()
