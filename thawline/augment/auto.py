"""Mirror where that cost no more than chance, small shifts and light: what suits most images."""

from typing import Any

from thawline.augment import light


def policy(image_size_px: int, *, mirror: bool) -> list[dict[str, Any]]:
    """Take `light`, with or without mirroring.

    Args:
        mirror: as measured on training rows, see thawline/features/mirror_choice.py.
    """
    return light.policy(image_size_px, mirror=mirror)
