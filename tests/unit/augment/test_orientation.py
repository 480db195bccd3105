"""What each policy may do to an image's orientation."""

from typing import Any

import numpy as np
import pytest

from thawline.augment._transforms import Views
from thawline.params import plugins

SIZE = 64
UPRIGHT = ("light", "medium", "strong", "randaugment", "driving", "medical", "documents")
READABLE = {
    "light": {"mirror": False},
    "medium": {"mirror": False},
    "strong": {"mirror": False},
    "randaugment": {"mirror": False},
    "driving": {"mirror": False},
    "medical": {},
    "documents": {},
    "characters": {},
}
MIRRORED = ("light", "medium", "strong", "randaugment", "driving")
CORNERS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def views(name: str, image: np.ndarray, count: int = 60, **options: Any) -> np.ndarray:
    """float64 (count, S, S), brightness."""
    policy = plugins.load(plugins.POLICY, name).policy(SIZE, **options)
    make = Views(policy, seed=0)
    made = [make(image, epoch=epoch, row=0, repeat=0) for epoch in range(count)]
    return np.stack(made).mean(axis=3)


def ramp() -> np.ndarray:
    """Dark above, bright below, without the extremes that Solarize and clipping turn over."""
    column = np.linspace(40, 170, SIZE)
    return np.repeat(np.repeat(column[:, None, None], SIZE, 1), 3, 2).astype(np.uint8)


def slopes(images: np.ndarray) -> np.ndarray:
    """Lower minus upper half, of the middle part: edges may be filled."""
    inner = images[:, 8:-8, 8:-8]
    half = inner.shape[1] // 2
    lower: np.ndarray = inner[:, half:].mean(axis=(1, 2)) - inner[:, :half].mean(axis=(1, 2))
    return lower


@pytest.mark.parametrize("name", UPRIGHT)
def test_never_upside_down(name: str) -> None:
    options = {"holes": 0.0} if name == "strong" else {}
    assert (slopes(views(name, ramp(), **options)) > 0).all()


@pytest.mark.parametrize("name", READABLE)
def test_left_stays_left_where_it_must(name: str) -> None:
    options = dict(READABLE[name])
    if name == "strong":
        options["holes"] = 0.0
    turned = views(name, np.ascontiguousarray(ramp().transpose(1, 0, 2)), **options)
    assert (slopes(turned.transpose(0, 2, 1)) > 0).all()


@pytest.mark.parametrize("name", MIRRORED)
def test_about_half_are_mirrored(name: str) -> None:
    image = np.ascontiguousarray(ramp().transpose(1, 0, 2))
    mirrored = (slopes(views(name, image, 100).transpose(0, 2, 1)) < 0).mean()
    assert 0.3 < mirrored < 0.7


@pytest.mark.parametrize("name", ["aerial", "microscopy"])
def test_all_eight_orientations_occur(name: str) -> None:
    image = np.full((SIZE, SIZE, 3), 60, dtype=np.uint8)
    half = SIZE // 2
    image[:half, :half], image[:half, half:] = 200, 130  # a corner and the one beside it
    seen = set()
    for view in views(name, image, 200):
        quarters = [view[y * half :, x * half :][:half, :half].mean() for y, x in CORNERS]
        bright, second = np.argsort(quarters)[-2:][::-1]
        seen.add((int(bright), int(second)))
    beside = {(a, b) for a in range(4) for b in range(4) if sum(_apart(a, b)) == 1}
    assert seen >= beside


def _apart(a: int, b: int) -> tuple[int, int]:
    return abs(CORNERS[a][0] - CORNERS[b][0]), abs(CORNERS[a][1] - CORNERS[b][1])
