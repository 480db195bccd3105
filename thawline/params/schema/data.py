"""Sections of the stages that make the training rows."""

from typing import Annotated, Any, Literal

from pydantic import Field

from thawline.params.schema.base import Name, PathText, PluginName, Ratio, Section

Byte = Annotated[int, Field(ge=0, le=255, strict=True)]
SizePx = Annotated[int, Field(ge=16, le=1024, strict=True)]
Fit = Literal["letterbox", "crop", "stretch"]
Rgb = Annotated[tuple[Byte, Byte, Byte], Field(strict=False)]
Distance = Annotated[int, Field(ge=0, le=8, strict=True)]
Auto = Literal["auto"]
"""Value that leaves a key to the data; data/ingest/decided.json has what was decided."""


BitDepth = Annotated[int, Field(ge=8, le=16, strict=True)]


class Ingest(Section):
    """Section `ingest`: source, decoding, copies and splits."""

    source: PluginName
    """Module of thawline/ingest/sources/."""
    path: PathText
    """File or folder that the source reads; `data/none` for a source that reads nothing."""
    options: dict[str, Any]
    """Keyword arguments of the source."""
    image_size_px: SizePx | Auto
    """Side of the packed square images, px."""
    fit: Fit | Auto
    """Way in which an image that is not square becomes square."""
    background: Rgb | Auto
    """RGB under transparent pixels and beside letterboxed images."""
    bit_depth: BitDepth
    """Bits that the values of 16-bit files use."""
    encoding: Literal["raw", "jpeg"]
    """Encoding of packed images."""
    val_ratio: Annotated[float, Field(gt=0, lt=0.5)]
    test_ratio: Annotated[float, Field(gt=0, lt=0.5)]
    """Share of the images in each split; approximate, a minimum per class is kept."""
    max_bad_ratio: Ratio
    """Share of unusable files, above which the run stops."""
    near_duplicate_distance: Distance | Auto | None
    """Bits of 64 in which the hashes of near copies differ at most; null looks for none."""
    conflicts: Literal["drop", "keep_first", "error"]
    """Treatment of a picture under two labels."""
    group_by: Annotated[str, Field(min_length=1, max_length=500)] | None
    """Regular expression with one group, searched for in an image's path; null: no groups."""


class Rebalance(Section):
    """Section `rebalance`: strategy, and where it applies."""

    strategy: PluginName
    """Module of thawline/rebalance/."""
    options: dict[str, Any]
    """Keyword arguments of the strategy."""
    apply_to: Literal["head", "all"]
    """Stages that train on the rebalanced rows; head: only transfer_learn."""
    feature_model: Name
    """An EfficientNet-Lite for the strategies that take features; `model` may be another."""


class Augment(Section):
    """Section `augment`: policy, extra images and views."""

    policy: PluginName
    """Module of thawline/augment/."""
    file: PathText
    """Policy file for policies that read one, else `data/none`."""
    options: dict[str, Any]
    """Keyword arguments of the policy."""
    minority: Ratio
    """Class size over the largest, after rebalancing, up to which augmented images are added."""
    views: Annotated[int, Field(ge=1, le=64)]
    """Augmented views per image that are computed once for a frozen trunk."""
