"""Augment strongly: small crops, colour, blur, noise and holes, for long training from few images.

It slows learning down; with few epochs `light` or `medium` are better.
"""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,
    *,
    mirror: bool = True,
    min_area: Annotated[float, Field(gt=0, le=1)] = 0.3,
    colour: Annotated[float, Field(ge=0, le=1)] = 0.4,
    holes: Annotated[float, Field(ge=0, le=1)] = 0.3,
) -> list[dict[str, Any]]:
    """Crop, colour and spoil, never upside down; edges are filled by reflection.

    Args:
        image_size_px: side of the images; blur scales with it.
        mirror: mirror half of the views; off for subjects that have a left and a right, such as
            letters.
        min_area: smallest part of the image's area that a view shows.
        colour: largest change of brightness, contrast and saturation, as a factor around 1.
        holes: share of the views with one or two grey rectangles (random erasing).
    """
    flip = [{"name": "HorizontalFlip", "p": 0.5}] if mirror else []
    change = [1 - colour, 1 + colour]
    return [
        *flip,
        {
            "name": "Affine",
            "rotate": [-15, 15],
            "shear": {"x": [-8, 8], "y": [-8, 8]},
            "border_mode": 4,
            "p": 0.5,
        },
        {
            "name": "RandomResizedCrop",
            "size": [image_size_px, image_size_px],
            "scale": [min_area, 1.0],
            "p": 1.0,
        },
        {
            "name": "ColorJitter",
            "brightness": change,
            "contrast": change,
            "saturation": change,
            "hue": [-0.04, 0.04],
            "p": 0.8,
        },
        {"name": "ToGray", "p": 0.1},
        {"name": "OneOf", "p": 0.3, "steps": _spoiled(image_size_px)},
        {
            "name": "CoarseDropout",
            "num_holes_range": [1, 2],
            "hole_height_range": [0.15, 0.35],
            "hole_width_range": [0.15, 0.35],
            "fill": [124, 116, 104],
            "p": holes,
        },
    ]


def _spoiled(image_size_px: int) -> list[dict[str, Any]]:
    return [
        {"name": "GaussianBlur", "sigma_limit": [0.3, max(0.6, image_size_px / 90)], "p": 1.0},
        {"name": "GaussNoise", "std_range": [0.02, 0.08], "p": 1.0},
        {"name": "ImageCompression", "quality_range": [25, 70], "p": 1.0},
    ]
