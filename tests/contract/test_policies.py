"""Every augmentation policy."""

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from tests.contract.plugin import cases, function, untouched_randomness
from thawline.augment._transforms import ALLOWED, Views
from thawline.params import plugins

EXAMPLE_FILE = Path(__file__).parents[2] / "docs" / "policy.yaml"
INPUTS = {"file": EXAMPLE_FILE, "mirror": True}
"""What stages/augment.py hands on."""
pytestmark = pytest.mark.parametrize(("name", "options"), cases(plugins.POLICY), ids=str)


def policy(name: str, options: dict[str, Any], size: int = 64) -> list[dict[str, Any]]:
    wanted = plugins.input_names(plugins.POLICY, name)
    assert set(wanted) <= INPUTS.keys(), "the pipeline hands on no such thing"
    inputs = {key: INPUTS[key] for key in wanted}
    with untouched_randomness():
        steps: list[dict[str, Any]] = function(plugins.POLICY, name)(size, **inputs, **options)
    return steps


@functools.cache
def photo(size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(load_sample_image("flower.jpg")).resize((size, size)))


@pytest.mark.parametrize("size", [16, 64, 224])
def test_views_keep_shape_and_type(name: str, options: dict[str, Any], size: int) -> None:
    views = Views(policy(name, options, size), seed=0)
    image = photo(size)
    for row in range(4):
        with untouched_randomness():
            view = views(image, epoch=0, row=row, repeat=0)
        assert view.shape == (size, size, 3)
        assert view.dtype == np.uint8
        # At a limit, such as contrast times zero, a view may be empty.
        assert options or view.std() > 0.2 * image.std(), "nothing is left of the image"


def test_it_is_plain_data_that_survives_json(name: str, options: dict[str, Any]) -> None:
    steps = policy(name, options)
    stored = json.loads(json.dumps(steps, allow_nan=False))
    assert policy(name, options) == steps
    for row in range(4):
        key = {"epoch": 1, "row": row, "repeat": 0}
        assert np.array_equal(Views(steps, 0)(photo(64), **key), Views(stored, 0)(photo(64), **key))


def test_every_step_is_an_allowed_one(name: str, options: dict[str, Any]) -> None:
    assert {step["name"] for step in policy(name, options)} <= ALLOWED
