"""Store what ingest decided from the data, and why, for later stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from thawline.ingest.decoding.bit_depth import WHOLE
from thawline.params.schema.data import BitDepth, Distance, Fit, Rgb, SizePx
from thawline.runtime import safe_json
from thawline.runtime.output_paths import intact, write_json

FILE = "decided.json"
"""Name of the file in files.INGEST."""
AUTO = "auto"
_TYPES: dict[str, TypeAdapter[Any]] = {
    "image_size_px": TypeAdapter(SizePx),
    "fit": TypeAdapter(Fit),
    "background": TypeAdapter(Rgb),
    "bit_depth": TypeAdapter(BitDepth),
    "near_duplicate_distance": TypeAdapter(Distance | None),
}
KEYS = tuple(key for key in _TYPES if key != "bit_depth")
"""Keys of the section `ingest` of params.yaml that may be `auto`."""
WRITTEN = tuple(_TYPES)
"""Keys that later stages read: `bit_depth` too, which no data decide."""


@dataclass(frozen=True, kw_only=True)
class DecidedValue:
    """A value that ingest works with.

    Attributes:
        value: the value, as params.yaml might hold it.
        auto: True where the data decided, False where params.yaml did.
        reason: one line, with the figure behind the decision.
    """

    value: Any
    auto: bool
    reason: str


@dataclass(frozen=True)
class Decided:
    """The decisions by key, see KEYS."""

    decisions: Mapping[str, DecidedValue]

    @property
    def image_size_px(self) -> int:
        """Side of the packed squares, px."""
        return int(self.decisions["image_size_px"].value)

    @property
    def fit(self) -> Fit:
        """Method by which images that are not square become square."""
        fit: Fit = self.decisions["fit"].value
        return fit

    @property
    def background(self) -> tuple[int, int, int]:
        """RGB colour behind transparent and letterboxed images, each in [0, 255]."""
        red, green, blue = self.decisions["background"].value
        return red, green, blue

    @property
    def bit_depth(self) -> int:
        """Bits that the values of 16-bit files use, 8 to 16."""
        one = self.decisions.get("bit_depth")  # earlier versions had none
        return int(one.value) if one else WHOLE

    @property
    def near_duplicate_distance(self) -> int | None:
        """Largest distance of near copies, in bits of 64; None: not looked for."""
        value = self.decisions["near_duplicate_distance"].value
        return None if value is None else int(value)

    def write(self, directory: Path) -> None:
        """Write the decisions to decided.json in a directory."""
        content = {
            key: {"value": one.value, "auto": one.auto, "reason": one.reason}
            for key, one in self.decisions.items()
        }
        write_json(directory / FILE, content)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the decisions from decided.json in a directory.

        Raises:
            UserError: the file is missing, damaged, or holds something else.
        """
        with intact(directory / FILE):
            raw = safe_json.loads((directory / FILE).read_text(encoding="utf-8"))
            present = {k: kind for k, kind in _TYPES.items() if k in raw or k != "bit_depth"}
            return cls({key: _decision(raw[key], kind) for key, kind in present.items()})


def _decision(raw: Any, kind: TypeAdapter[Any]) -> DecidedValue:
    if not isinstance(raw["auto"], bool) or not isinstance(raw["reason"], str):
        raise TypeError("a decision has a value, auto and a reason")
    value = kind.validate_python(raw["value"])
    return DecidedValue(value=value, auto=raw["auto"], reason=raw["reason"])
