"""Distil a larger network: train on its probabilities of the same images too.

Source: G. Hinton, O. Vinyals and J. Dean, 2015, "Distilling the knowledge in a neural network".
"""

from pathlib import Path

import torch
from torch.nn import functional

from thawline.errors import UserError
from thawline.features import fingerprints
from thawline.models import checkpoint, precision
from thawline.models.batch_norm_folding import folded
from thawline.models.checkpoint import ModelConfig
from thawline.models.device import numerics, to_input
from thawline.models.network import Network
from thawline.training.losses import Loss


class Teacher:
    """Trained network to distil from, with a temperature and a weight in the loss.

    It only runs forwards, so it takes the quick numerics of a frozen trunk.
    """

    def __init__(
        self,
        network: Network,
        card: ModelConfig,
        *,
        temperature: float,
        weight: float,
        device: torch.device,
        wanted_precision: str = "float32",
    ) -> None:
        network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._known_by = fingerprints.hash_tensors(network.state_dict())
        self._precision = precision.choose(wanted_precision, network, device).forward
        self._network = folded(network, card.image_size_px, device)
        self._card, self._device = card, device
        self._temperature, self._weight = temperature, weight

    def known_by(self) -> str:
        """Return a short hash of its weights, which decide what it predicts."""
        return self._known_by

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Predict a batch of training, (B, S, S, 3) in [0, 255]: float32 (B, num_classes)."""
        card = self._card
        pixels = to_input(images, mean=card.mean, std=card.std, device=self._device)
        with torch.no_grad(), numerics(self._precision, self._device):
            logits: torch.Tensor = self._network(pixels).float()
        return logits

    def loss(self, own: Loss, taught: torch.Tensor) -> Loss:
        """Mix a loss with the divergence from the teacher's logits, float32 (B, num_classes).

        The squared temperature makes up for the smaller gradients of softened probabilities.
        """

        def both(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            t, weight = self._temperature, self._weight
            student = functional.log_softmax(logits / t, dim=1)
            teacher = functional.log_softmax(taught / t, dim=1)
            apart = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
            return (1 - weight) * own(logits, labels) + weight * t**2 * apart

        return both


def load(
    directory: Path,
    card: ModelConfig,
    *,
    key: str,
    temperature: float,
    weight: float,
    device: torch.device,
    wanted_precision: str,
) -> Teacher:
    """Load the teacher in `directory` for the network of a card.

    `key` is the params key that messages name, `wanted_precision` is `training.precision`.

    Raises:
        UserError: no checkpoint, or one of other classes or another image size.
    """
    network, known = checkpoint.load(directory)
    for name in ("classes", "image_size_px"):
        theirs, ours = getattr(known, name), getattr(card, name)
        if theirs != ours:
            raise UserError(
                f"{key}: {str(directory)!r} has other {name} ({str(theirs)[:60]}) than this data "
                f"set ({str(ours)[:60]}); allowed: a checkpoint with the same"
            )
    return Teacher(
        network,
        known,
        temperature=temperature,
        weight=weight,
        device=device,
        wanted_precision=wanted_precision,
    )
