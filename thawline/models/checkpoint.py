"""Save and load a trained network: safetensors, and a JSON that rebuilds it; no pickle."""

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from thawline.errors import UserError
from thawline.models.multilevel import Level, count_features, read_levels
from thawline.models.network import Network, build
from thawline.params import plugins
from thawline.params.schema.design import ORIGINAL, Design, Stem
from thawline.runtime.escape import escape

_MANY_CLASSES = 10_000
_BITS = 32
"""Packed weights that fit into the room of one float32 weight."""
WEIGHTS = "model.safetensors"
CARD = "model.json"
_Byte = Annotated[int, Field(ge=0, le=255)]
_Positive = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(ge=1, le=1_000_000)]


class ModelConfig(BaseModel):
    """Configuration of a network: all that it needs to predict from an image file, but weights."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )

    format: Annotated[int, Field(ge=1, le=1)] = 1
    family: str
    name: str
    dropout: Annotated[float, Field(ge=0, lt=1)]
    stem: Stem = "imagenet"
    design: Design = ORIGINAL
    channels: dict[str, tuple[_Count, _Count]] = {}
    """Channels in and out of each layer that pruning made smaller, by name."""
    levels: tuple[Level, ...] = ()
    """Blocks that the head reads, after the last of which the network ends; none: all of it."""
    refit: bool = False
    """True where the head was fitted to the validation rows too, which then judge nothing."""
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=1_000_000)]
    image_size_px: Annotated[int, Field(ge=1, le=4096)]
    fit: Literal["letterbox", "crop", "stretch"]
    background: tuple[_Byte, _Byte, _Byte]
    bit_depth: Annotated[int, Field(ge=8, le=16)] = 16
    """Bits that the values of 16-bit image files use."""
    mean: tuple[float, float, float]
    """Mean per channel, of values in [0, 1]."""
    std: tuple[_Positive, _Positive, _Positive]

    @field_validator("classes")
    @classmethod
    def _no_twins(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError("two classes of one name")
        return classes


def save(directory: Path, network: Network, card: ModelConfig) -> None:
    """Write weights and configuration; equal networks give equal bytes."""
    directory.mkdir(parents=True, exist_ok=True)
    state = {
        name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()
    }
    save_file(state, directory / WEIGHTS)
    write_card(directory, card)


def load(directory: Path) -> tuple[Network, ModelConfig]:
    """Rebuild the network in evaluation mode, with packed layers where the file holds bits.

    Raises:
        UserError: a file is missing or damaged, the architecture is unknown, or channels or weights
            are those of another one.
    """
    card = read_card(directory)
    if len(card.classes) > _MANY_CLASSES:
        _check_room(card, directory)
    network = _built(card, directory)
    if card.channels:
        from thawline.models.surgery.channels import narrow

        try:
            narrow(network, card.channels)
        except ValueError as error:
            raise UserError(
                f"{escape(str(directory / CARD))}: channels: {escape(str(error), 200)}"
            ) from None
    path = directory / WEIGHTS
    try:
        state = load_file(path)
        if card.design != ORIGINAL:
            from thawline.models.surgery import packed_xnor  # loads timm

            packed_xnor.pack_like(network, state)
        network.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        reason = escape(" ".join(str(error).split()), 160)
        raise UserError(f"{escape(str(path))}: not the weights of {card.name}: {reason}") from None
    return network.eval(), card


def _check_room(card: ModelConfig, directory: Path) -> None:
    """Refuse a configuration whose many classes need far more bytes than the weights' file has."""
    with torch.device("meta"):
        network = _built(card, directory)
    path = directory / WEIGHTS
    needed = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    there = path.stat().st_size if path.is_file() else 0
    if needed > _BITS * there:
        raise UserError(
            f"{escape(str(path))}: not the weights of {card.name}: {there:,} bytes, and "
            f"{len(card.classes):,} classes need {needed:,}"
        )


def _built(card: ModelConfig, directory: Path) -> Network:
    network = build(
        card.family,
        card.name,
        num_classes=len(card.classes),
        dropout=card.dropout,
        seed=0,
        stem=card.stem,
        design=card.design,
    )
    if card.levels:
        try:
            network = read_levels(
                network.eval(),
                card.levels,
                num_features=count_features(network, card.levels, card.image_size_px),
                num_classes=len(card.classes),
            )
        except (ValueError, RuntimeError) as error:  # the latter of images that are too small
            raise UserError(
                f"{escape(str(directory / CARD))}: levels: {escape(str(error), 200)}"
            ) from None
    return network


def write_card(directory: Path, card: ModelConfig) -> None:
    """Write the configuration, without fields of seldom use that have their defaults."""
    unused = {name for name in ("channels", "levels", "refit") if not getattr(card, name)}
    unused |= {"bit_depth"} if card.bit_depth == 16 else set()
    text = card.model_dump_json(indent=2, exclude=unused)
    (directory / CARD).write_text(text + "\n", encoding="utf-8")


def read_card(directory: Path) -> ModelConfig:
    """Read the configuration.

    Raises:
        UserError: the file is missing or damaged, or names an unknown family or network.
    """
    path = directory / CARD
    try:
        card = ModelConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{escape(str(path))}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = escape(".".join(map(str, first["loc"]))) or "the file"
        raise UserError(
            f"{escape(str(path))}: {key}: {first['msg']}; `dvc repro` makes it anew"
        ) from None
    if card.family not in plugins.names(plugins.FAMILY):
        raise UserError(f"{escape(str(path))}: family: {escape(card.family)!r} is unknown")
    known = plugins.constant(plugins.FAMILY, card.family, "NAMES")
    if known is not None and card.name not in known:
        raise UserError(
            f"{escape(str(path))}: name: {escape(card.name)!r} is not one of {', '.join(known)}"
        )
    return card
