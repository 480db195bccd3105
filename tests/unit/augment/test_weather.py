"""Rain, fog, sun flare and shadow of the driving policy."""

from typing import Any

import numpy as np
import pytest

from thawline.augment import driving
from thawline.augment._transforms import Views


def weather_steps(size: int) -> list[dict[str, Any]]:
    groups = [step for step in driving.policy(size, weather=1.0) if step["name"] == "OneOf"]
    steps: list[dict[str, Any]] = groups[0]["steps"]
    return steps


def test_it_has_the_four() -> None:
    names = {step["name"] for step in weather_steps(64)}
    assert names == {"RandomFog", "RandomRain", "RandomShadow", "RandomSunFlare"}


@pytest.mark.parametrize("size", [16, 64, 160])
@pytest.mark.parametrize("number", range(4))
def test_weather_is_seen_and_leaves_the_scene(number: int, size: int) -> None:
    ramp = np.linspace(60, 180, size)
    image = np.repeat(np.add.outer(ramp, ramp[::-1])[:, :, None] / 2, 3, 2).astype(np.uint8)
    make = Views([weather_steps(size)[number]], seed=0)
    made = [make(image, epoch=epoch, row=0, repeat=0) for epoch in range(10)]
    assert sum(not np.array_equal(view, image) for view in made) >= 7
    kept = [np.corrcoef(view.mean(axis=2).ravel(), image[..., 0].ravel())[0, 1] for view in made]
    assert np.median(kept) > 0.5


def test_zero_switches_it_off() -> None:
    group = next(step for step in driving.policy(64, weather=0.0) if step["name"] == "OneOf")
    image = np.full((64, 64, 3), 90, dtype=np.uint8)
    make = Views([group], seed=0)
    assert all(
        np.array_equal(make(image, epoch=epoch, row=0, repeat=0), image) for epoch in range(20)
    )
