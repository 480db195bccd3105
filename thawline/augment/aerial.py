"""Augment images from above: every orientation, haze, shadows of clouds, another height."""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,
    *,
    any_angle: bool = True,
    zoom: Annotated[float, Field(ge=1, le=2)] = 1.2,
    light: Annotated[float, Field(ge=0, le=0.8)] = 0.2,
) -> list[dict[str, Any]]:
    """Mirror and turn by quarters always, turn by any angle half of the time.

    Args:
        image_size_px: side of the images; blur scales with it.
        any_angle: turn by any angle; off keeps straight things parallel to the edges.
        zoom: largest factor nearer or farther.
        light: largest change of brightness, contrast and saturation, as a factor around 1.
    """
    change = [1 - light, 1 + light]
    turn = [-45, 45] if any_angle else [0, 0]
    return [
        {"name": "D4", "p": 1.0},
        {"name": "Affine", "rotate": turn, "scale": [1 / zoom, zoom], "border_mode": 4, "p": 0.5},
        {
            "name": "ColorJitter",
            "brightness": change,
            "contrast": change,
            "saturation": change,
            "hue": [-0.02, 0.02],
            "p": 0.8,
        },
        {
            "name": "OneOf",
            "p": 0.2,
            "steps": [
                {
                    "name": "RandomBrightnessContrast",  # haze
                    "brightness_limit": [0.1, 0.25],
                    "contrast_limit": [-0.5, -0.2],
                    "p": 1.0,
                },
                {
                    "name": "RandomShadow",
                    "shadow_roi": [0, 0, 1, 1],
                    "shadow_dimension": 3,
                    "shadow_intensity_range": [0.2, 0.4],
                    "p": 1.0,
                },
                {
                    "name": "GaussianBlur",
                    "sigma_limit": [0.3, max(0.6, image_size_px / 128)],
                    "p": 1.0,
                },
            ],
        },
    ]
