"""Decide from the data the `auto` values of section `ingest` of params.yaml."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from thawline.ingest.decided import AUTO, Decided, DecidedValue
from thawline.ingest.decoding.background import choose_background
from thawline.ingest.image_size import largest_size
from thawline.ingest.survey import Survey

NEEDS_SURVEY = ("image_size_px", "fit", "background")
"""Keys whose value must be known before the first image is packed."""
_NEARLY = 1.1
"""Longer over shorter side up to which a picture is square or so."""
_NEARLY_ALL = 0.95
_NONE_BEYOND = 1.5
"""Longer over shorter side: with one longer picture the shape is not given up."""
NEAR_BITS = 4
"""Resized and recompressed photographs differ in at most 3 bits of 64, different ones in 12."""
TINY_PX = 32
"""Median longer side below which hashes say nothing: those of digits of 8 or 28 px are alike."""
_GIVEN = "as params.yaml says"


def decide(wanted: Mapping[str, Any], survey: Callable[[], Survey], num_images: int) -> Decided:
    """Decide the values that are `auto`; no image is opened where none is.

    Near copies are decided provisionally: see `without_near`.

    Args:
        wanted: the values of params.yaml by key.
        survey: opens a sample of the images; called only when needed.
        num_images: number of images in the source.
    """
    given = {key: value for key, value in wanted.items() if value != AUTO}
    decisions = {k: DecidedValue(value=v, auto=False, reason=_GIVEN) for k, v in given.items()}
    if len(given) < len(wanted):
        seen = survey()
        longer = np.maximum(seen.widths, seen.heights)
        rules: dict[str, Callable[[], tuple[Any, str]]] = {
            "image_size_px": lambda: largest_size(longer, num_images),
            "fit": lambda: choose_fit(seen.widths, seen.heights),
            "background": lambda: choose_background(seen.colours),
            "near_duplicate_distance": lambda: choose_distance(longer),
        }
        for key in wanted.keys() - given.keys():
            value, reason = rules[key]()
            decisions[key] = DecidedValue(value=value, auto=True, reason=reason)
    return Decided({key: decisions[key] for key in wanted})


def choose_fit(widths: np.ndarray, heights: np.ndarray) -> tuple[str, str]:
    """Choose letterbox, which loses nothing, unless nearly all pictures are almost square.

    In that case stretch: bars would be a seam of a pixel or two. Crop, which may cut off the
    subject, is for people to choose.

    Args:
        widths: px, int64 (N,).
        heights: px, int64 (N,).

    Returns:
        The word for params.yaml, and the reason.
    """
    if not len(widths):
        return "letterbox", "no image could be looked at"
    ratios = np.maximum(widths, heights) / np.minimum(widths, heights)
    share = float(np.mean(ratios <= _NEARLY))
    figure = f"{share:.0%} of the pictures are square to within a tenth"
    if ratios.max() == 1:
        return "letterbox", "all pictures are square"
    if share >= _NEARLY_ALL and ratios.max() <= _NONE_BEYOND:
        return "stretch", f"{figure}, the longest is {ratios.max():.2f} to 1"
    return "letterbox", f"{figure}, the longest is {ratios.max():.2f} to 1"


def choose_distance(longer: np.ndarray) -> tuple[int | None, str]:
    """Choose the number of bits in which near copies may differ; None for tiny pictures.

    Args:
        longer: longer sides, px, int64 (N,).

    Returns:
        The value for params.yaml, and the reason.
    """
    if not len(longer):
        return None, "no image could be looked at"
    median = float(np.median(longer))
    figure = f"the longer side of the median picture is {median:g} px"
    if median < TINY_PX:
        return None, f"{figure}; below {TINY_PX} px different pictures have similar hashes"
    return NEAR_BITS, figure


def with_size(decided: Decided, size_px: int, figure: str) -> Decided:
    """Replace the largest allowed side by the side that was measured."""
    before = decided.decisions["image_size_px"]
    measured = replace(before, value=size_px, reason=f"{before.reason}; {figure}")
    return replace(decided, decisions={**decided.decisions, "image_size_px": measured})


def without_near(decided: Decided, num_pairs: int) -> Decided:
    """Turn off the search for near copies, because too many pairs of hashes are alike."""
    off = DecidedValue(
        value=None,
        auto=True,
        reason=f"more than {num_pairs:,} pairs of hashes are alike: they do not tell these apart",
    )
    return replace(decided, decisions={**decided.decisions, "near_duplicate_distance": off})


def sentences(decided: Decided) -> list[str]:
    """Describe what was decided from the data, one line per decision."""
    red, green, blue = decided.background
    bits = decided.near_duplicate_distance
    said = {
        "image_size_px": f"images packed at {decided.image_size_px} px",
        "fit": f"images made square by {decided.fit}",
        "background": f"background [{red}, {green}, {blue}]",
        "near_duplicate_distance": "near copies not looked for"
        if bits is None
        else f"near copies looked for within {bits} bits",
    }
    return [
        f"{said[key]} (auto: {one.reason})" for key, one in decided.decisions.items() if one.auto
    ]
