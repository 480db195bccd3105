"""Read a model's folder: model.onnx and the model.json beside it. Loads no PyTorch."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thawline.errors import UserError
from thawline.ingest.decoding.preprocess import Geometry
from thawline.runtime.escape import escape

NETWORK, CARD = "model.onnx", "model.json"
_Byte = Annotated[int, Field(ge=0, le=255)]


class _Card(BaseModel):
    """Keys of model.json that tell how an image file becomes the network's input."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=1_000_000)]
    image_size_px: Annotated[int, Field(ge=1, le=4096)]
    fit: Literal["letterbox", "crop", "stretch"]
    background: tuple[_Byte, _Byte, _Byte]
    bit_depth: Annotated[int, Field(ge=8, le=16)] = 16
    refit: bool = False


class Predictor:
    """A model to predict with.

    Attributes:
        network: the ONNX file.
        classes: names of the network's outputs, in order.
        geometry: parameters that turn an image into its input.
        saw_validation: True where it was fitted to the validation rows too.
    """

    def __init__(self, folder: Path) -> None:
        """Read the model's folder.

        Raises:
            UserError: a file is missing, or model.json is damaged.
        """
        card = _read(folder / CARD)
        self.network = folder / NETWORK
        if not self.network.is_file():
            raise UserError(f"{escape(str(self.network))}: not there; `thawline run` makes it")
        self.classes, self.saw_validation = card.classes, card.refit
        self.geometry = Geometry(
            image_size_px=card.image_size_px,
            fit=card.fit,
            background=card.background,
            bit_depth=card.bit_depth,
        )


def _read(path: Path) -> _Card:
    try:
        return _Card.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"{escape(str(path))}: cannot be read: {error.strerror}; --model takes champion, "
            f"challenger, previous, a version, or a folder with {NETWORK} and {CARD}"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = escape(".".join(map(str, first["loc"]))) or "the file"
        raise UserError(f"{escape(str(path))}: {key}: {first['msg']}") from None
