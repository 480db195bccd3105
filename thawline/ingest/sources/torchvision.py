"""Read a classification set of torchvision.datasets by its name.

Each set of the list below has one label an image and can be made from a folder alone. Others
(ImageNet, Places365, iNaturalist) are folders of classes: `folder` reads them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torchvision import datasets

from thawline.errors import UserError
from thawline.ingest.decoding.decode import DecodeError, to_rgb
from thawline.ingest.files import checksums
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.labels.labels import numbered
from thawline.runtime.escape import escape

_DOWNLOADS = Path("data")
_LABELS = ("targets", "labels", "_labels", "y")
"""Attributes of torchvision's sets with labels; others have `_samples`, pairs of image and
label."""
Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class SetArguments:
    """Arguments that make each split of a set; None stands for a set without splits."""

    arguments: Mapping[str | None, Arguments]
    num_classes: int | None = None
    """Number of classes, for sets that do not name them."""
    by_hand: bool = False
    """torchvision does not download it."""


def _by_word(
    train: str = "train", val: str | None = "val", **more: Any
) -> dict[str | None, Arguments]:
    words = {"train": train, "val": val, "test": "test"}
    return {split: {"split": word, **more} for split, word in words.items() if word}


_BOOL: Mapping[str | None, Arguments] = {"train": {"train": True}, "test": {"train": False}}
_WHOLE: Mapping[str | None, Arguments] = {None: {}}
SETS: Mapping[str, SetArguments] = {
    "CIFAR10": SetArguments(_BOOL),
    "CIFAR100": SetArguments(_BOOL),
    "Caltech101": SetArguments(_WHOLE),
    "Caltech256": SetArguments(_WHOLE),
    "Country211": SetArguments(_by_word(val="valid")),
    "DTD": SetArguments(_by_word()),
    "EMNIST": SetArguments({k: {"split": "balanced", **v} for k, v in _BOOL.items()}),
    "EuroSAT": SetArguments(_WHOLE),
    "FER2013": SetArguments(_by_word(val=None), 7, by_hand=True),
    "FGVCAircraft": SetArguments(_by_word()),
    "FashionMNIST": SetArguments(_BOOL),
    "Flowers102": SetArguments(_by_word()),
    "Food101": SetArguments(_by_word(val=None)),
    "GTSRB": SetArguments(_by_word(val=None), 43),
    "Imagenette": SetArguments({"train": {"split": "train"}, "test": {"split": "val"}}),
    "KMNIST": SetArguments(_BOOL),
    "MNIST": SetArguments(_BOOL),
    "OxfordIIITPet": SetArguments(_by_word("trainval", None)),
    "PCAM": SetArguments(_by_word(), 2),
    "QMNIST": SetArguments(_BOOL),
    "RenderedSST2": SetArguments(_by_word()),
    "SEMEION": SetArguments(_WHOLE, 10),
    "STL10": SetArguments(_by_word(val=None)),
    "SUN397": SetArguments(_WHOLE),
    "SVHN": SetArguments(_by_word(val=None), 10),
    "StanfordCars": SetArguments(_by_word(val=None)),
    "USPS": SetArguments(_BOOL, 10),
}
"""Imagenette's `val` is all it holds out, so it is the test split here."""


def read(
    path: Path,
    *,
    name: Literal[
        "CIFAR10", "CIFAR100", "Caltech101", "Caltech256", "Country211", "DTD", "EMNIST", "EuroSAT",
        "FER2013", "FGVCAircraft", "FashionMNIST", "Flowers102", "Food101", "GTSRB", "Imagenette",
        "KMNIST", "MNIST", "OxfordIIITPet", "PCAM", "QMNIST", "RenderedSST2", "SEMEION", "STL10",
        "SUN397", "SVHN", "StanfordCars", "USPS",
    ] = "MNIST",
    download: bool = False,
    sha256: str = "",
) -> Source:  # fmt: skip
    """Read a set; its own splits are kept, and held-out rows that it lacks are drawn from train.

    Args:
        path: torchvision's `root`; with `download`, a folder below the project's `data/`.
        name: class of torchvision.datasets.
        download: True to fetch what is missing, on a machine with a network.
        sha256: hash of all files below the path; others are refused with theirs.

    Raises:
        UserError: the set is missing, is another one, or cannot be downloaded; labels of fewer
            than two classes, or outside the set's own.
    """
    if download:
        _check_download(path, name)
    parts = {split: _made(path, name, split, download) for split in SETS[name].arguments}
    checksums.require_files(path, sha256)

    named = _classes(name, next(iter(parts.values())))
    used = _used(name, list(parts.values()), len(named))
    position = {label: index for index, label in enumerate(used)}

    def every(step: int) -> Iterator[Item | Reject]:
        return (
            item for split, part in parts.items() for item in _items(part, split, step, position)
        )

    return Source(
        classes=tuple(named[label] for label in used),
        empty_classes=tuple(k for label, k in enumerate(named) if label not in position),
        items=every(1),
        every=every,
        num_items=sum(len(part) for part in parts.values()),
    )


def _check_download(path: Path, name: str) -> None:
    if SETS[name].by_hand:
        raise UserError(f"ingest.options.download: {name} must be fetched by hand; allowed: false")
    if not path.resolve().is_relative_to(_DOWNLOADS.resolve()):
        raise UserError(
            f"ingest.path: {escape(str(path))!r} is not below data/, where downloads go"
        )


def _made(path: Path, name: str, split: str | None, download: bool) -> Any:
    arguments = {**SETS[name].arguments[split], **({"download": True} if download else {})}
    try:
        return getattr(datasets, name)(str(path), **arguments)
    # OSError has the network's errors; torchvision's own for a missing set is RuntimeError.
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        problem = escape(" ".join(str(error).split()), 200)
        if download:
            raise UserError(
                f"ingest.options.download: {name} cannot be downloaded: {problem}"
            ) from None
        raise UserError(
            f"ingest.path: {escape(str(path))!r} does not hold {name} as torchvision stores it "
            f"({problem}); set ingest.options.download on a machine with a network"
        ) from None


def _classes(name: str, part: Any) -> tuple[str, ...]:
    number = SETS[name].num_classes
    if number is not None:
        return numbered(None, number - 1)
    named = getattr(part, "classes", None) or part.categories
    # Imagenette has several words a class.
    return tuple(", ".join(c) if isinstance(c, tuple) else str(c) for c in named)


def _used(name: str, parts: Sequence[Any], num_classes: int) -> tuple[int, ...]:
    """Find the labels that occur; all of them where torchvision reads them with the images alone.

    Raises:
        UserError: fewer than two, or one that the set does not have.
    """
    used = set[int]()
    for part in parts:
        held = (getattr(part, attribute, None) for attribute in _LABELS)
        labels = next((labels for labels in held if labels is not None), None)
        if labels is None and (samples := getattr(part, "_samples", None)) is not None:
            labels = [label for _, label in samples]
        if labels is None:
            return tuple(range(num_classes))
        rows = np.asarray(labels)
        if rows.ndim > 1:  # QMNIST has more of each digit than its label
            rows = rows[:, 0]
        used |= {int(label) for label in set(rows.tolist()) if label is not None}
    if len(used) < 2 or min(used) < 0 or max(used) >= num_classes:
        raise UserError(
            f"ingest.path: {name} has the labels {escape(str(sorted(used)), 60)}; at least 2 of "
            f"0 to {num_classes - 1} are needed, and no others"
        )
    return tuple(sorted(used))


def _items(
    part: Any, split: str | None, step: int, position: Mapping[int, int]
) -> Iterator[Item | Reject]:
    for index in range(0, len(part), step):
        item_name = f"{split or 'all'}/{index:06d}"
        try:
            image, label = part[index]
        except (OSError, ValueError, SyntaxError) as error:
            yield Reject(name=item_name, reason=f"damaged: {' '.join(str(error).split())[:120]}")
            continue
        if label is None:
            yield Reject(name=item_name, reason="no label")
            continue
        try:
            pixels = np.asarray(image if image.mode in ("L", "RGB") else to_rgb(image))
        except DecodeError as error:
            yield Reject(name=item_name, reason=str(error), label=position[int(label)])
            continue
        yield Item(name=item_name, label=position[int(label)], payload=pixels, split=split)
