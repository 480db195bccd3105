"""Augment images of a microscope: orientation, stain, focus and soft tissue vary."""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,
    *,
    stain: Annotated[float, Field(ge=0, le=1)] = 0.3,
    elastic: Annotated[float, Field(ge=0, le=4)] = 1.0,
) -> list[dict[str, Any]]:
    """Mirror and turn by quarters always, turn by any angle half of the time.

    Args:
        image_size_px: side of the images; blur and the elastic field scale with it.
        stain: strength of the change of colour between slides; 0 for fluorescence, where the
            colour is the signal.
        elastic: strength of the elastic deformation, 0 switches it off.
    """
    bend = {
        "name": "ElasticTransform",
        "alpha": elastic * image_size_px * 0.5,
        "sigma": image_size_px / 12,
        "border_mode": 4,
        "p": 0.3,
    }
    return [
        {"name": "D4", "p": 1.0},
        {
            "name": "Affine",
            "rotate": [-45, 45],
            "scale": [0.9, 1.1],
            "border_mode": 4,
            "p": 0.5,
        },
        *([bend] if elastic else []),
        *([_stain(stain)] if stain else []),
        {
            "name": "RandomBrightnessContrast",
            "brightness_limit": 0.1,
            "contrast_limit": 0.2,
            "p": 0.7,
        },
        {
            "name": "OneOf",
            "p": 0.25,
            "steps": [
                {
                    "name": "GaussianBlur",
                    "sigma_limit": [0.3, max(0.6, image_size_px / 90)],
                    "p": 1.0,
                },
                {"name": "GaussNoise", "std_range": [0.01, 0.04], "p": 1.0},
            ],
        },
    ]


def _stain(strength: float) -> dict[str, Any]:
    return {
        "name": "HueSaturationValue",
        "hue_shift_limit": 25 * strength,
        "sat_shift_limit": 100 * strength,
        "val_shift_limit": 30 * strength,
        "p": 0.7,
    }
