"""Augment scanned and photographed pages: skew, light, blur, compression; never mirror."""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,
    *,
    skew_deg: Annotated[float, Field(ge=0, le=15)] = 3.0,
    perspective: Annotated[float, Field(ge=0, le=0.1)] = 0.04,
    spoil: Annotated[float, Field(ge=0, le=1)] = 0.4,
) -> list[dict[str, Any]]:
    """Skew and spoil pages; edges continue the paper, whatever its colour.

    Args:
        image_size_px: side of the images; blur scales with it.
        skew_deg: largest rotation either way.
        perspective: largest move of a corner / image side.
        spoil: share of the views that are blurred, compressed, noisy or of low resolution.
    """
    return [
        {
            "name": "Affine",
            "rotate": [-skew_deg, skew_deg],
            "scale": [0.9, 1.05],
            "translate_percent": {"x": [-0.03, 0.03], "y": [-0.03, 0.03]},
            "border_mode": 1,
            "p": 0.8,
        },
        {"name": "Perspective", "scale": [0, perspective], "border_mode": 1, "p": 0.5},
        {
            "name": "RandomBrightnessContrast",
            "brightness_limit": 0.2,
            "contrast_limit": 0.2,
            "p": 0.7,
        },
        {"name": "PlanckianJitter", "temperature_limit": [5000, 8000], "p": 0.2},
        {
            "name": "RandomShadow",
            "shadow_roi": [0, 0, 1, 1],
            "num_shadows_limit": [1, 1],
            "shadow_dimension": 3,
            "shadow_intensity_range": [0.15, 0.35],
            "p": 0.2,
        },
        {"name": "OneOf", "p": spoil, "steps": _spoiled(image_size_px)},
    ]


def _spoiled(image_size_px: int) -> list[dict[str, Any]]:
    return [
        {"name": "GaussianBlur", "sigma_limit": [0.3, max(0.6, image_size_px / 160)], "p": 1.0},
        {"name": "ImageCompression", "quality_range": [20, 60], "p": 1.0},
        {"name": "GaussNoise", "std_range": [0.02, 0.06], "p": 1.0},
        {
            "name": "Downscale",
            "scale_range": [0.5, 0.8],
            "interpolation_pair": {"downscale": 3, "upscale": 1},
            "p": 1.0,
        },
    ]
