"""Augment roads: mirror, change light and weather; never turn upside down."""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,
    *,
    mirror: bool = True,
    weather: Annotated[float, Field(ge=0, le=1)] = 0.4,
    light: Annotated[float, Field(ge=0, le=0.8)] = 0.2,
) -> list[dict[str, Any]]:
    """Mirror, tilt the camera a little, change the weather; edges are filled by reflection.

    Args:
        image_size_px: side of the images; drops, flares and blur scale with it.
        mirror: mirror half of the views; off where the side of the road counts, or signs are read.
        weather: share of the views with rain, fog, low sun or a shadow on the road.
        light: largest change of brightness and contrast, as a factor around 1.
    """
    flip = [{"name": "HorizontalFlip", "p": 0.5}] if mirror else []
    return [
        *flip,
        {
            "name": "Affine",
            "scale": [0.9, 1.15],
            "translate_percent": {"x": [-0.06, 0.06], "y": [-0.06, 0.06]},
            "rotate": [-3, 3],
            "border_mode": 4,
            "p": 0.8,
        },
        {
            "name": "RandomBrightnessContrast",
            "brightness_limit": light,
            "contrast_limit": light,
            "p": 0.7,
        },
        {"name": "PlanckianJitter", "temperature_limit": [4500, 9000], "p": 0.3},
        {"name": "OneOf", "p": weather, "steps": _weather(image_size_px)},
        {"name": "MotionBlur", "blur_limit": [3, max(3, 2 * (image_size_px // 64) + 1)], "p": 0.1},
    ]


def _weather(image_size_px: int) -> list[dict[str, Any]]:
    """List the kinds of weather; fog, drawn puff by puff, costs ten times the others."""
    slant = min(20, image_size_px / 24)
    return [
        {
            "name": "RandomRain",
            "slant_range": [-slant, slant],
            "drop_length": max(2, image_size_px // 12),
            "drop_color": [75, 75, 85],
            "blur_value": 1,
            "brightness_coefficient": 0.85,
            "rain_type": "heavy",
            "p": 1.0,
        },
        {"name": "RandomFog", "fog_coef_range": [0.6, 0.9], "alpha_coef": 0.05, "p": 1.0},
        {
            "name": "RandomSunFlare",
            "flare_roi": [0, 0, 1, 0.4],
            "src_radius": max(2, image_size_px // 6),
            "method": "physics_based",
            "p": 1.0,
        },
        {
            "name": "RandomShadow",
            "shadow_dimension": 3,
            "shadow_intensity_range": [0.25, 0.5],
            "p": 1.0,
        },
    ]
