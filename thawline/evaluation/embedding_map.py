"""Map the test images as the network sees them: features in front of the head, by PCA."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray

from thawline.plots.style import figure, label, styled

MAX_POINTS = 500
_THUMBNAILS = 40
_THUMBNAIL_PX = 26
_MAX_NAMED = 20


def plane(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project features of unit length on the two directions of the most variance.

    Args:
        features: float32 (N, D), N >= 2, D >= 2.

    Returns:
        Places, float64 (N, 2), and the share of the variance along each, (2,). The largest weight
        of a direction is positive, so that the map is not mirrored from run to run.
    """
    # By direction only: the few images with the strongest features would take the whole map.
    length = np.linalg.norm(features, axis=1, keepdims=True)
    centred = features / np.maximum(length, np.finfo(np.float32).tiny).astype(np.float64)
    centred -= centred.mean(axis=0)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    axes = directions[:2]
    signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
    total = max(float((lengths**2).sum()), np.finfo(float).tiny)
    return centred @ (axes * signs[:, None]).T, lengths[:2] ** 2 / total


def spread(places: NDArray[np.float64], limit: int = _THUMBNAILS) -> NDArray[np.int64]:
    """Choose points far from each other: each next one is the farthest from those before.

    Args:
        places: (N, 2).
        limit: largest number of points.

    Returns:
        Indices of the points, int64 (<= limit,).
    """
    chosen = [int(np.argmin(np.linalg.norm(places - places.mean(axis=0), axis=1)))]
    distance = np.linalg.norm(places - places[chosen[0]], axis=1)
    while len(chosen) < min(limit, len(places)) and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
    return np.array(chosen)


@styled
def draw(
    features: NDArray[np.float32],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    classes: Sequence[str],
) -> Figure:
    """Draw a point per image in its class's colour, and thumbnails of some.

    Args:
        features: float32 (N, D).
        images: uint8 (N, S, S, 3).
        labels: int64 (N,).
        classes: names of the classes.
    """
    places, shares = plane(features)
    drawn = figure(9, 7, "The test images as the network sees them")
    axis = drawn.subplots()
    colours = matplotlib.colormaps["tab20"]
    for number, name in enumerate(classes):
        of_class = places[labels == number]
        axis.scatter(
            of_class[:, 0], of_class[:, 1], s=14, color=colours(number % 20), alpha=0.8, lw=0,
            label=label(name, 16) if len(classes) <= _MAX_NAMED else None,
        )  # fmt: skip
    for at in spread(places / np.maximum(np.ptp(places, axis=0), np.finfo(float).tiny)):
        _thumbnail(axis, images[at], places[at], colours(int(labels[at]) % 20))
    axis.set_xlabel(f"first principal component ({shares[0]:.0%} of the variance)")
    axis.set_ylabel(f"second ({shares[1]:.0%})")
    if len(classes) <= _MAX_NAMED:
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=1.6)
    return drawn


def _thumbnail(
    axis: Axes, image: NDArray[np.uint8], place: NDArray[np.float64], colour: object
) -> None:
    picture = OffsetImage(image, zoom=_THUMBNAIL_PX / len(image))
    box = {"edgecolor": colour, "lw": 1.4, "boxstyle": "square,pad=0"}
    axis.add_artist(AnnotationBbox(picture, tuple(place), pad=0, bboxprops=box))
