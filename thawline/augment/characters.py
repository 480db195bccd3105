"""Augment letters and digits: slant, stretch and stroke vary, orientation carries the meaning.

After the deformations for written digits of Simard, Steinkraus and Platt, 2003, "Best practices
for convolutional neural networks applied to visual document analysis".
"""

from typing import Annotated, Any

from pydantic import Field


def policy(
    image_size_px: int,
    *,
    rotate_deg: Annotated[float, Field(ge=0, le=45)] = 15.0,
    shear_deg: Annotated[float, Field(ge=0, le=45)] = 12.0,
    elastic: Annotated[float, Field(ge=0, le=4)] = 1.0,
) -> list[dict[str, Any]]:
    """Slant, stretch and bend; never mirror or turn upside down.

    Args:
        image_size_px: side of the images; the elastic field scales with it.
        rotate_deg: largest rotation either way.
        shear_deg: largest slant either way.
        elastic: strength of the elastic deformation, 0 switches it off.
    """
    bend = {
        "name": "ElasticTransform",
        "alpha": elastic * image_size_px * 0.6,
        "sigma": image_size_px / 10,
        "border_mode": 0,
        "p": 0.5,
    }
    return [
        {
            "name": "Affine",
            "rotate": [-rotate_deg, rotate_deg],
            "scale": {"x": [0.85, 1.15], "y": [0.85, 1.15]},
            "translate_percent": {"x": [-0.1, 0.1], "y": [-0.1, 0.1]},
            "shear": {"x": [-shear_deg, shear_deg], "y": [0, 0]},
            "border_mode": 0,
            "p": 1.0,
        },
        *([bend] if elastic else []),
        {
            "name": "RandomBrightnessContrast",
            "brightness_limit": 0.15,
            "contrast_limit": 0.3,
            "p": 0.8,
        },
    ]
