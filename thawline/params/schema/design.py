"""Section `model.design`: changes to a family's own network, part of its configuration."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from thawline.params import plugins

Stem = Literal["imagenet", "small"]
"""First layers; small ones keep the resolution, for images of 64 px and less."""

SMALL_PX = 64


class Design(BaseModel):
    """Design of a network; every field has a value that changes nothing, see `ORIGINAL`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    depth: Annotated[float, Field(ge=0.1, le=10)]
    """Blocks per stage over the family's, rounded, at least one; 1 leaves them."""
    width: Annotated[float, Field(ge=0.1, le=10)]
    """Channels over the family's, rounded to multiples of 8; 1 leaves them."""
    convolution: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    """Module of thawline/models/convolutions/; `standard` leaves them."""
    convolution_options: dict[str, Any]
    """Keyword arguments of the convolution."""
    activation: Literal[
        "original", "relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "hardswish", "tanh"
    ]
    kernel_size: Literal[3, 5, 7] | None
    """Side of every k x k kernel, k > 1, of stride and padding that keep the shapes."""
    bottleneck: Annotated[float, Field(gt=0, lt=1)] | None
    """Channels of a 1x1 convolution before and after each k x k one, over the layer's own."""
    dilation: Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(strict=False)]
    """Dilation per stage, or per last stage where there are fewer: instead of striding, as DRN."""


ORIGINAL = Design(
    depth=1.0,
    width=1.0,
    convolution="standard",
    convolution_options={},
    activation="original",
    kernel_size=None,
    bottleneck=None,
    dilation=(),
)


def resolve_stem(
    wanted: Literal["auto", "imagenet", "small"], *, family: str, weights: str, image_size_px: int
) -> Stem:
    """Resolve `auto`: the small stem where images are small and no weights have to be kept.

    A family that has no small stem keeps its own.
    """
    if wanted != "auto":
        return wanted
    known = "stem" in plugins.input_names(plugins.FAMILY, family)
    small = image_size_px <= SMALL_PX and weights == "none"
    return "small" if small and known else "imagenet"
