"""Augment moderately: crop, turn, mirror, colour, for photographs once `light` overfits."""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,
    *,
    mirror: bool = True,
    min_area: Annotated[float, Field(gt=0, le=1)] = 0.5,
    colour: Annotated[float, Field(ge=0, le=1)] = 0.25,
) -> list[dict[str, Any]]:
    """Crop, turn, mirror and colour, never upside down; edges are filled by reflection.

    Args:
        image_size_px: side of the images.
        mirror: mirror half of the views; off for subjects that have a left and a right, such as
            letters.
        min_area: smallest part of the image's area that a view shows.
        colour: largest change of brightness, contrast and saturation, as a factor around 1.
    """
    flip = [{"name": "HorizontalFlip", "p": 0.5}] if mirror else []
    return [
        *flip,
        {"name": "Rotate", "limit": [-10, 10], "border_mode": 4, "p": 0.5},
        {
            "name": "RandomResizedCrop",
            "size": [image_size_px, image_size_px],
            "scale": [min_area, 1.0],
            "ratio": [0.8, 1.25],
            "p": 1.0,
        },
        {
            "name": "ColorJitter",
            "brightness": [1 - colour, 1 + colour],
            "contrast": [1 - colour, 1 + colour],
            "saturation": [1 - colour, 1 + colour],
            "hue": [-0.02, 0.02],
            "p": 0.8,
        },
    ]
