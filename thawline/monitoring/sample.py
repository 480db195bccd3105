"""Draw a sample of images for comparison: the model's probabilities, and image statistics."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnxruntime

from thawline.cost import ort_session as onnx

STATISTICS = ("brightness", "contrast", "sharpness", "saturation")
LIMIT = 2000
"""Images of a sample at most: bounds time and memory, and keeps differences that are too small to
matter from being found."""
_LUMA = np.array([299, 587, 114]) / 1000


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample of images.

    Attributes:
        probabilities: the model's, float32 (N, K).
        looks: STATISTICS per image, as the network sees it, float64 (N, 4).
        num_seen: number of images that the sample was drawn from.
    """

    probabilities: np.ndarray
    looks: np.ndarray
    num_seen: int

    def __len__(self) -> int:
        return len(self.looks)

    @property
    def predicted(self) -> np.ndarray:
        """Predicted class ids, int64 (N,)."""
        found: np.ndarray = self.probabilities.argmax(axis=1)
        return found


def draw(
    batches: Iterable[np.ndarray],
    network: onnxruntime.InferenceSession,
    rng: np.random.Generator,
    limit: int = LIMIT,
) -> Sample:
    """Draw at most `limit` images, each with the same chance, from a stream of any length.

    Source: J. S. Vitter, "Random sampling with a reservoir", 1985, algorithm R.

    Args:
        batches: uint8 (B, S, S, 3) each.
        network: the ONNX network.
        rng: source of randomness.
        limit: largest size of the sample.
    """
    probabilities: list[np.ndarray] = []
    looks: list[np.ndarray] = []
    seen = 0
    for pixels in batches:
        for said, seems in zip(onnx.predict(network, pixels), measure(pixels), strict=True):
            seen += 1
            if len(looks) < limit:
                probabilities.append(said)
                looks.append(seems)
            elif (place := int(rng.integers(seen))) < limit:
                probabilities[place], looks[place] = said, seems
    if not looks:
        return Sample(probabilities=np.empty((0, 0)), looks=np.empty((0, 4)), num_seen=0)
    return Sample(probabilities=np.stack(probabilities), looks=np.stack(looks), num_seen=seen)


def measure(pixels: np.ndarray) -> np.ndarray:
    """Compute STATISTICS of uint8 (B, S, S, 3): float64 (B, 4).

    Mean and standard deviation of the grey level, variance of its Laplacian, and mean distance of
    the strongest from the weakest colour, on a scale of 0 to 255.
    """
    grey = pixels @ _LUMA
    edges = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    edges -= 4 * grey[:, 1:-1, 1:-1]
    colour = pixels.max(axis=3).astype(np.float64) - pixels.min(axis=3)
    inner = (1, 2)
    columns = [grey.mean(inner), grey.std(inner), edges.var(inner), colour.mean(inner)]
    # An even surface has a contrast of some 1e-14, and more of it the brighter it is.
    return np.round(np.stack(columns, axis=1), 6)
