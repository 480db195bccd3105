"""Draw a few operations per image, all of one strength (RandAugment).

Cubuk, Zoph, Shlens and Le, 2020, "RandAugment: practical automated data augmentation with a reduced
search space": their fourteen operations and strengths. Two differ: edges are filled by reflection
instead of grey, and less sharpness is a blur.
"""

import math
from typing import Annotated, Any

from pydantic import Field

Step = dict[str, Any]


def policy(
    image_size_px: int,
    *,
    num_ops: Annotated[int, Field(ge=1, le=10)] = 2,
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9,
    mirror: bool = True,
) -> list[Step]:
    """Draw from changes of geometry, colour and tone; never upside down.

    Args:
        image_size_px: side of the images; moves and blur scale with it.
        num_ops: operations per view, drawn with replacement and run in the order drawn.
        magnitude: strength of each, 0 to 30.
        mirror: mirror half of the views; off for subjects that have a left and a right, such as
            letters.
    """
    level = magnitude / 30
    flip = [{"name": "HorizontalFlip", "p": 0.5}] if mirror else []
    operations = [*_geometry(level), *_colour(level), *_tone(level, image_size_px)]
    return [
        *flip,
        {"name": "RandomOrder", "n": num_ops, "replace": True, "p": 1.0, "steps": operations},
    ]


def _geometry(level: float) -> list[Step]:
    shear, move, turn = math.degrees(math.atan(0.3 * level)), 150 / 331 * level, 30 * level
    still = [0, 0]
    return [
        _either(*(_affine(shear={"x": [a, a], "y": still}) for a in (shear, -shear))),
        _either(*(_affine(shear={"x": still, "y": [a, a]}) for a in (shear, -shear))),
        _either(*(_affine(translate_percent={"x": [a, a], "y": still}) for a in (move, -move))),
        _either(*(_affine(translate_percent={"x": still, "y": [a, a]}) for a in (move, -move))),
        _either(*(_affine(rotate=[a, a]) for a in (turn, -turn))),
    ]


def _colour(level: float) -> list[Step]:
    neutral = {"brightness": [1, 1], "contrast": [1, 1], "saturation": [1, 1], "hue": [0, 0]}
    factors = (1 + 0.9 * level, 1 - 0.9 * level)
    return [
        _either(*({"name": "ColorJitter", **neutral, key: [f, f], "p": 1.0} for f in factors))
        for key in ("brightness", "contrast", "saturation")
    ]


def _tone(level: float, image_size_px: int) -> list[Step]:
    blur = max(0.1, level * image_size_px / 60)
    return [
        _either(
            {"name": "Sharpen", "alpha": [0.9 * level] * 2, "lightness": [1, 1], "p": 1.0},
            {"name": "GaussianBlur", "sigma_limit": [blur, blur], "p": 1.0},
        ),
        {"name": "Posterize", "num_bits": min(7, 8 - round(4 * level)), "p": 1.0},
        {"name": "Solarize", "threshold_range": [1 - level, 1 - level], "p": 1.0},
        {"name": "AutoContrast", "p": 1.0},
        {"name": "Equalize", "p": 1.0},
        {"name": "NoOp", "p": 1.0},
    ]


def _affine(**arguments: Any) -> Step:
    return {"name": "Affine", **arguments, "border_mode": 4, "p": 1.0}


def _either(one: Step, other: Step) -> Step:
    return {"name": "OneOf", "p": 1.0, "steps": [one, other]}
