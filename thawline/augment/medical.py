"""Augment radiographs and slices: pose and exposure vary, the side of the body does not."""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,  # noqa: ARG001
    *,
    mirror: bool = False,
    rotate_deg: Annotated[float, Field(ge=0, le=45)] = 8.0,
    exposure: Annotated[float, Field(ge=0, le=0.5)] = 0.15,
) -> list[dict[str, Any]]:
    """Move a little on black, as film and scanner show it; no colour, no holes.

    Args:
        image_size_px: not used.
        mirror: mirror half of the views; on where left and right are alike, as in skin; a mirrored
            chest has its heart on the wrong side.
        rotate_deg: largest rotation either way.
        exposure: largest change of brightness and contrast, as a factor around 1.
    """
    flip = [{"name": "HorizontalFlip", "p": 0.5}] if mirror else []
    gamma = 100 * exposure
    return [
        *flip,
        {
            "name": "Affine",
            "rotate": [-rotate_deg, rotate_deg],
            "scale": [0.92, 1.08],
            "translate_percent": {"x": [-0.05, 0.05], "y": [-0.05, 0.05]},
            "border_mode": 0,
            "p": 0.9,
        },
        {
            "name": "RandomBrightnessContrast",
            "brightness_limit": exposure,
            "contrast_limit": exposure,
            "p": 0.7,
        },
        {"name": "RandomGamma", "gamma_limit": [100 - gamma, 100 + gamma], "p": 0.5},
        {"name": "GaussNoise", "std_range": [0.01, 0.03], "per_channel": False, "p": 0.2},
    ]
