"""Augment as `light` does, and mirror only where that costs no more than chance."""

from typing import Any

from thawline.augment import light


def policy(image_size_px: int, *, mirror: bool) -> list[dict[str, Any]]:
    """Take `light`, with or without mirroring.

    `mirror` is measured on training rows, see thawline/features/mirror_choice.py.
    """
    return light.policy(image_size_px, mirror=mirror)
