"""Augment lightly: mirror, small shifts and light, safe for most photographs."""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,  # noqa: ARG001
    *,
    mirror: bool = True,
    shift_ratio: Annotated[float, Field(ge=0, le=0.5)] = 0.0625,
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.2,
) -> list[dict[str, Any]]:
    """Mirror left to right, move, change brightness and contrast.

    Args:
        image_size_px: not used.
        mirror: mirror half of the views; off for subjects that have a left and a right, such as
            letters.
        shift_ratio: largest move / image side, in each direction.
        brightness: largest change of brightness and contrast, as a factor around 1.
    """
    flip = [{"name": "HorizontalFlip", "p": 0.5}] if mirror else []
    shift = [-shift_ratio, shift_ratio]
    return [
        *flip,
        {
            "name": "Affine",
            "translate_percent": {"x": shift, "y": shift},
            "scale": [0.9, 1.1],
            "border_mode": 2,
            "p": 0.8,
        },
        {
            "name": "RandomBrightnessContrast",
            "brightness_limit": brightness,
            "contrast_limit": brightness,
            "p": 0.8,
        },
    ]
