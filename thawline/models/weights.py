"""Find files of pretrained weights and read their tensors."""

import hashlib
import pickle
import socket
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Self

import torch
from safetensors.torch import load_file

from thawline.errors import UserError
from thawline.runtime.escape import escape
from thawline.runtime.progress import log

PATIENCE_S = 10.0
"""Seconds that a download waits for an answer; most machines without a network say so at once."""

WRAPPERS = (
    "state_dict_ema", "model_ema", "ema", "ema_state_dict", "state_dict", "model_state_dict",
    "model", "module", "net", "network", "weights",
)  # fmt: skip
"""Keys of a checkpoint under which trainers put a network's tensors, averages first as in timm."""
_COMPILED = "_orig_mod."


class _Kept:
    """Stand-in for an object beside the tensors, such as the options of a training.

    No code of the object's own class is run; it is dropped with the rest of the checkpoint.
    """

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


class _KeptDict:
    """Stand-in for a dictionary of another class, as which a plain one is built."""

    def __new__(cls, *_: object) -> Any:
        return {}


_OBJECTS = (
    "argparse.Namespace", "datetime.datetime", "datetime.timedelta", "builtins.list",
    "builtins.dict", "builtins.int", "builtins.float",
    *(f"pathlib.{kind}" for kind in (
        "PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path",
        "_local.PosixPath", "_local.WindowsPath")),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core")
      for name in ("scalar", "_reconstruct")),
    "numpy.ndarray", "numpy.dtype",
)  # fmt: skip
_DICTS = (
    "collections.defaultdict",
    "easydict.EasyDict",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "yacs.config.CfgNode",
)
_BESIDE: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    *((_Kept, name) for name in _OBJECTS),
    *((_KeptDict, name) for name in _DICTS),
]
"""Objects that trainers keep beside the tensors (timm its command line, others a NumPy score)."""
_DEPTH = 4
_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """File of pretrained weights.

    Attributes:
        path: path of the file.
        sha256: expected hash as far as it is known: all digits, the first ones, or none.
    """

    path: Path
    sha256: str


def imagenet(module: ModuleType, family: str, name: str) -> Path:
    """Find the ImageNet weights of a network: in a package, the library's cache, or by download.

    `module` is that of the family.

    Raises:
        UserError: there is no such file, or its hash is not the expected one.
    """
    found: WeightsFile = module.imagenet_weights(name) or _downloaded(module, family, name)
    digest = sha256(found.path)
    if not digest.startswith(found.sha256):
        raise UserError(
            f"model.weights: {found.path.name} has SHA-256 {digest[:12]}..., expected "
            f"{found.sha256[:12]}...; remove {escape(str(found.path))!r} or reinstall its package"
        )
    return found.path


def sha256(path: Path) -> str:
    """Hash a file by SHA-256, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def patience() -> Iterator[None]:
    """Let connections that do not answer fail after PATIENCE_S."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a checkpoint; nothing in it is executed.

    A training's checkpoint has them beside its optimizer and counters, under a key of WRAPPERS.

    Raises:
        UserError: the file is missing, damaged or without tensors, or needs unpickling of other
            objects.
    """
    try:
        if path.suffix == ".safetensors":
            loaded: dict[str, torch.Tensor] = load_file(path)
            return loaded
        _check_packing(path)
        with torch.serialization.safe_globals(_BESIDE):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"weights file {escape(str(path))!r} does not exist") from None
    except pickle.UnpicklingError:  # whose own message tells how to run the pickle all the same
        raise UserError(
            _unreadable(path, "it holds something else than tensors, numbers and texts")
        ) from None
    except Exception as error:  # a damaged file ends in any of a dozen kinds
        raise UserError(_unreadable(path, escape(str(error)) or type(error).__name__)) from None
    place: list[str] = []
    while not _is_state(state) and len(place) < _DEPTH:
        found = [key for key in WRAPPERS if isinstance(state, dict) and _is_dict(state.get(key))]
        if not found:
            break
        place.append(found[0])
        state = state[found[0]]
        beside = f"; not those under {', '.join(found[1:])}" if found[1:] else ""
        log(f"weights: {escape(path.name)}: takes the tensors under {'.'.join(place)}{beside}")
    if not _is_state(state):
        under = f" under {'.'.join(place)}" if place else ""
        keys = [escape(str(key)) for key in state][:_LISTED] if isinstance(state, dict) else []
        listed = f"; it has {', '.join(keys)}" if keys else ""
        raise UserError(
            f"weights file {escape(str(path))!r}: expected a dictionary of tensors{under}{listed}; "
            f"allowed: by itself, or as {', '.join(WRAPPERS)} of a dictionary"
        )
    return dict(state)


def _check_packing(path: Path) -> None:
    """Refuse compressed tensors: they could unpack to any size, and torch.save does not write them.

    Raises:
        ValueError: a tensor is compressed, or all have more bytes together than the file.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        held = archive.infolist()
    if any(info.compress_type != zipfile.ZIP_STORED for info in held):
        raise ValueError("its tensors are compressed, which torch.save does not do")
    if sum(info.file_size for info in held) > path.stat().st_size:
        raise ValueError("its tensors have more bytes than the file")


class Unprefixed(NamedTuple):
    """Tensors of a file under shorter names.

    Attributes:
        prefix: prefix that was taken off their names.
        state: tensors by the names that are left.
        others: names of tensors that are left out, since they do not begin with it.
    """

    prefix: str
    state: dict[str, torch.Tensor]
    others: tuple[str, ...] = ()


def without_prefixes(state: dict[str, torch.Tensor]) -> Iterator[Unprefixed]:
    """Yield a file's tensors under the names that they may have had; first as they are.

    DataParallel, torch.compile, averages of weights and Lightning put `module.`, `_orig_mod.` or
    `model.` before each name; a network that is trained with others (a loss with weights of its
    own, a projection) is the prefix that most tensors have.
    """
    yield Unprefixed("", state)
    taken, others = "", tuple[str, ...]()
    if any(_COMPILED in name for name in state):
        taken, state = _COMPILED, {name.replace(_COMPILED, ""): v for name, v in state.items()}
        yield Unprefixed(taken, state)
    for _ in range(_DEPTH):
        # torch.optim.swa_utils.AveragedModel counts what it has averaged.
        counted = {name: value for name, value in state.items() if name != "n_averaged"}
        prefixes = Counter(name.partition(".")[0] + "." for name in counted if "." in name)
        if not prefixes:
            return
        prefix, number = prefixes.most_common(1)[0]
        if 2 * number <= len(counted):
            return
        others += tuple(taken + name for name in counted if not name.startswith(prefix))
        taken += prefix
        state = {
            name.removeprefix(prefix): value
            for name, value in counted.items()
            if name.startswith(prefix)
        }
        yield Unprefixed(taken, state, others)


def _is_dict(value: object) -> bool:
    return isinstance(value, dict) and bool(value)


def _is_state(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in value.items()
    )


def _downloaded(module: Any, family: str, name: str) -> WeightsFile:
    log(f"downloading the ImageNet weights of {name}")
    try:
        found: WeightsFile = module.download(name)
    except Exception as error:  # of urllib, sockets, PyTorch or huggingface_hub
        reason = escape(" ".join(str(error).split())) or type(error).__name__
        raise UserError(
            f"model.weights: no ImageNet weights for {family} {name!r} on this machine, and the "
            f"download failed ({reason}). Three ways out: {module.origin(name)}; or set `weights: "
            "file` and weights_file; or `weights: none`"
        ) from None
    return found


def _unreadable(path: Path, reason: str) -> str:
    return (
        f"weights file {escape(str(path))!r} cannot be read ({reason}); "
        "allowed: .safetensors, or .pth with tensors only, as "
        "torch.save(model.state_dict(), path) writes"
    )
