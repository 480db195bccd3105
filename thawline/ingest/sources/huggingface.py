"""Read a data set for the library `datasets`: a local folder, or a name on the Hugging Face hub.

Needs the extra `huggingface`. From version 4 on the library runs no code that comes with a set.
"""

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from thawline.errors import UserError
from thawline.ingest.files import checksums
from thawline.ingest.files.archive_reader import MAX_MEMBER_BYTES, members
from thawline.ingest.files.file_filter import locate
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.labels.class_names import canonical
from thawline.ingest.labels.labels import ordered
from thawline.ingest.sources import parquet
from thawline.ingest.splits.predefined_splits import SPLIT_NAMES
from thawline.runtime import workspace
from thawline.runtime.escape import escape

_DOWNLOADS = Path("data")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


def read(
    path: Path,
    *,
    name: str = "",
    config: str = "",
    revision: str = "",
    sha256: str = "",
    image: str = "image",
    label: str = "label",
) -> Source:
    """Read a data set; keep its train, validation and test, draw missing ones from train.

    Args:
        path: the set as `save_to_disk` wrote it, or files that `load_dataset` knows; with `name`,
            where the download is kept, below the project's `data/`.
        name: name of a set on the hub, "owner/set"; empty for a local one.
        config: configuration of the set, where it has several.
        revision: commit of the set on the hub; without one its newest state is used.
        sha256: hash of all images and labels; others are refused with theirs.
        image: name of the image column.
        label: name of the label column.

    Raises:
        UserError: the library is missing, the set cannot be loaded or is another one, or a column
            is missing.
    """
    library = _library()
    parts = _parts(_loaded(library, path, name, config, revision))
    for split, part in parts.items():
        _check_columns(library, part, split, image, label)
    classes, absent = _classes(parts, label)
    label_of = {text: position for position, text in enumerate(classes)}
    roots = (path, _cache())
    items = (
        item
        for split, part in parts.items()
        for item in _items(library, part, split, (image, label), label_of, roots)
    )
    return Source(
        classes=classes,
        items=checksums.require_items(items, sha256),
        num_items=sum(len(part) for part in parts.values()),
        empty_classes=absent,
    )


def _library() -> Any:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise UserError(
            f"ingest.source: 'huggingface' needs the package datasets ({error}); "
            "pip install 'thawline[huggingface]'"
        ) from None


def _cache() -> Path:
    return workspace.scratch() / "huggingface"


def _loaded(library: Any, path: Path, name: str, config: str, revision: str) -> Any:
    if name and not path.resolve().is_relative_to(_DOWNLOADS.resolve()):
        raise UserError(
            f"ingest.path: {escape(str(path))!r} is not below data/, where downloads go"
        )
    try:
        if name:
            more = {"revision": revision or None, "cache_dir": str(path)}
            return library.load_dataset(name, config or None, **more)
        if (path / "dataset_dict.json").exists() or (path / "state.json").exists():
            return library.load_from_disk(str(path))
        _check_expansion(path)
        return library.load_dataset(str(path.resolve()), config or None, cache_dir=str(_cache()))
    except UserError:
        raise
    except Exception as error:
        what = "ingest.options.name" if name else "ingest.path"
        raise _unreadable(
            f"{what}: {escape(name or str(path))!r} cannot be loaded", error
        ) from None


def _check_expansion(path: Path) -> None:
    """Check files before the library unpacks them into its cache, without a limit.

    Raises:
        UserError: one of them would take far more room than it has, or is damaged.
    """
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.suffix == ".parquet":
            parquet.check_expansion(file)
        elif file.name.lower().endswith(_ARCHIVES):
            for _ in members(file):
                pass


def _unreadable(what: str, error: Exception) -> UserError:
    """Build a UserError from any error of the library.

    It raises dozens of classes of its own, and those of what it reads with.
    """
    problem = escape(" ".join(str(error).split()), 200) or type(error).__name__
    return UserError(f"{what}: {problem}")


def _parts(loaded: Any) -> dict[str | None, Any]:
    if not isinstance(loaded, Mapping):
        return {None: loaded}
    if len(loaded) == 1:
        # A set without splits is all called train.
        return {"train": next(iter(loaded.values()))}
    unknown = [key for key in loaded if str(key).lower() not in SPLIT_NAMES]
    if unknown:
        raise UserError(
            f"split {escape(str(unknown[0]), 60)!r} of the set is none of train, validation, test"
        )
    return {SPLIT_NAMES[str(key).lower()]: part for key, part in loaded.items()}


def _check_columns(library: Any, part: Any, split: str | None, image: str, label: str) -> None:
    for option, column in (("image", image), ("label", label)):
        if column not in part.features:
            listed = ", ".join(repr(escape(str(c), 40)) for c in list(part.features)[:20])
            raise UserError(
                f"ingest.options.{option}: column {escape(column, 60)!r} is missing in "
                f"{split or 'the set'}; its columns: {listed}"
            )
    if not isinstance(part.features[image], library.Image):
        raise UserError(
            f"ingest.options.image: column {escape(image, 60)!r} holds "
            f"{escape(str(part.features[image]), 60)}; expected images"
        )


def _classes(
    parts: Mapping[str | None, Any], label: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the classes that have a row, in the set's order or else sorted, and those without.

    Raises:
        UserError: fewer than two.
    """
    declared: dict[str, None] = {}
    used: set[str] = set()
    for part in parts.values():
        names = _names(part, label)
        declared |= dict.fromkeys(names or ())
        found = (_name(value, names) for value in _unique(part, label))
        used |= {name for name in found if name is not None}
    classes = tuple(name for name in declared if name in used) or ordered(used)
    if len(classes) < 2:
        raise UserError(
            f"ingest.options.label: column {escape(label, 60)!r} has {len(classes)} class(es) with "
            "a row; at least 2 are needed"
        )
    return classes, tuple(name for name in declared if name not in used)


def _unique(part: Any, label: str) -> list[Any]:
    try:
        return list(part.unique(label))
    except Exception as error:
        raise _unreadable(f"ingest.path: column {escape(label, 60)!r}", error) from None


def _rows(encoded: Any) -> Iterator[Any]:
    try:
        yield from encoded
    except Exception as error:
        raise _unreadable("ingest.path: a row of the set", error) from None


def _names(part: Any, label: str) -> list[str] | None:
    names = getattr(part.features[label], "names", None)
    return [canonical(name) for name in names] if names else None


def _name(value: Any, names: Sequence[str] | None) -> str | None:
    """Return the class name of a cell; None without a label, which some sets write as -1."""
    if names is None:
        return None if value is None else canonical(str(value))
    if value is None or value < 0:
        return None
    if value >= len(names):
        raise UserError(
            f"ingest.path: the set has label {value}, and names for 0 to {len(names) - 1}"
        )
    return str(names[value])


def _items(
    library: Any,
    part: Any,
    split: str | None,
    columns: tuple[str, str],
    label_of: Mapping[str, int],
    roots: tuple[Path, Path],
) -> Iterator[Item | Reject]:
    image, label = columns
    names = _names(part, label)
    encoded = part.select_columns(list(columns)).cast_column(image, library.Image(decode=False))
    for index, row in enumerate(_rows(encoded)):
        item_name = f"{split or 'all'}/{index:07d}"
        payload, name = _payload(row[image], roots), _name(row[label], names)
        known = None if name is None else label_of[name]
        if isinstance(payload, str) or known is None:
            reason = payload if isinstance(payload, str) else "no label"
            yield Reject(name=item_name, reason=reason, label=known)
            continue
        yield Item(name=item_name, label=known, payload=payload, split=split)


def _payload(cell: Mapping[str, Any] | None, roots: tuple[Path, Path]) -> bytes | Path | str:
    """Return an encoded image or a file of the set, else the reason why not."""
    if not cell or not (cell.get("bytes") or cell.get("path")):
        return "no image in this row"
    if cell.get("bytes"):
        size = len(cell["bytes"])
        if size > MAX_MEMBER_BYTES:
            return f"{size} bytes; at most {MAX_MEMBER_BYTES}"
        return bytes(cell["bytes"])
    file = Path(cell["path"])
    found = [locate(root, file) for root in roots]
    return next((real for real in found if isinstance(real, Path)), found[0])
