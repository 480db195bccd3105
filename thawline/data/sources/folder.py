"""A folder with one sub-folder per class, files nested at any depth below it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from thawline.data.items import Item, Reject, Source, shown
from thawline.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
_IGNORED_FOLDERS = frozenset({"__macosx"})


def read(path: Path) -> Source:
    """Class names are the sub-folders' names, in sorted order.

    Hidden files, files of other types and loose files beside the class folders are no candidates.
    Links are followed to files inside the folder only.

    Raises:
        UserError: not a folder, not readable, or fewer than two class folders with images.
    """
    folders = _class_folders(path)
    listed = [(folder, *_candidates(path, folder)) for folder in folders]
    filled = [(folder, items) for folder, items, _ in listed if items]
    if len(filled) < 2:
        raise UserError(
            f"ingest.path: {shown(str(path))!r} has {len(filled)} class folder(s) with images "
            f"({', '.join(sorted(SUFFIXES))}); at least 2 are needed, one sub-folder per class"
        )
    return Source(
        # A name that is not UTF-8 can be opened, but not stored.
        classes=tuple(f.name.encode("utf-8", "backslashreplace").decode() for f, _ in filled),
        items=_items(filled),
        num_items=sum(len(items) for _, items in filled),
        num_ignored=sum(ignored for _, _, ignored in listed),
    )


def _class_folders(path: Path) -> list[Path]:
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(
            f"ingest.path: {shown(str(path))!r}: {error.strerror}; expected a folder with one "
            "sub-folder per class"
        ) from None
    return [
        Path(entry.path)
        for entry in entries
        if entry.is_dir(follow_symlinks=False) and not _is_hidden(entry.name)
    ]


def _candidates(root: Path, folder: Path) -> tuple[list[tuple[Path, str | None]], int]:
    """Files with an image's suffix, sorted, each with the reason against it or None."""
    found: list[tuple[Path, str | None]] = []
    ignored = 0

    def unreadable(error: OSError) -> None:
        found.append((Path(error.filename), f"folder cannot be read: {error.strerror}"))

    for base, folders, files in os.walk(folder, onerror=unreadable, followlinks=False):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(files):
            file = Path(base, name)
            if _is_hidden(name) or file.suffix.lower() not in SUFFIXES:
                ignored += 1
            else:
                found.append((file, _objection(root, file)))
    return found, ignored


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _IGNORED_FOLDERS


def _objection(root: Path, file: Path) -> str | None:
    """Why a path is not opened: a FIFO would hang the run, a link could lead anywhere."""
    try:
        if file.is_symlink() and not file.resolve(strict=True).is_relative_to(root.resolve()):
            return "link to outside of the source"
        mode = file.stat().st_mode
    except (OSError, RuntimeError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or 'link loop'}"
    return None if stat.S_ISREG(mode) else "not a regular file"


def _items(filled: list[tuple[Path, list[tuple[Path, str | None]]]]) -> Iterator[Item | Reject]:
    for label, (folder, files) in enumerate(filled):
        for file, objection in files:
            name = str(file.relative_to(folder.parent))
            if objection:
                yield Reject(name=name, reason=objection)
            else:
                yield Item(name=name, label=label, payload=file)
