"""A folder with one sub-folder per class, files nested at any depth below it.

Where train, val and test folders stand above the classes, they are the splits.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from thawline.data.candidates import SUFFIXES, is_hidden, objection
from thawline.data.class_names import canonical
from thawline.data.given import split_folders
from thawline.data.items import Item, Reject, Source, shown
from thawline.data.labels import ordered
from thawline.errors import UserError


@dataclass(frozen=True, kw_only=True)
class _ClassFolder:
    folder: Path
    split: str | None
    files: list[tuple[Path, str | None]]
    """Files with an image's suffix, sorted, each with the reason against it or None."""
    num_ignored: int


def read(path: Path) -> Source:
    """Class names are the sub-folders' names, sorted; numbers by value.

    Folders of one name in two Unicode forms, as a Mac and another system write it, are one class.
    Hidden files, files of other types and loose files beside the class folders are no candidates.
    Links are followed to files inside the folder only.

    Raises:
        UserError: not a folder, not readable, or fewer than two class folders with images.
    """
    listed = list(_class_folders(path))
    filled = [found for found in listed if found.files]
    names = ordered({canonical(found.folder.name) for found in filled})
    if len(names) < 2:
        raise UserError(
            f"ingest.path: {shown(str(path))!r} has {len(names)} class folder(s) with images "
            f"({', '.join(sorted(SUFFIXES))}); at least 2 are needed, one sub-folder per class"
        )
    return Source(
        classes=names,
        items=_items(path, filled, {name: label for label, name in enumerate(names)}),
        num_items=sum(len(found.files) for found in filled),
        num_ignored=sum(found.num_ignored for found in listed),
        empty_classes=ordered({canonical(found.folder.name) for found in listed} - set(names)),
    )


def _class_folders(path: Path) -> Iterator[_ClassFolder]:
    tops = _sub_folders(path)
    split_of = split_folders(top.name for top in tops)
    for top in tops:
        for folder in _sub_folders(top) if split_of else [top]:
            files, num_ignored = _candidates(path, folder)
            yield _ClassFolder(
                folder=folder, split=split_of.get(top.name), files=files, num_ignored=num_ignored
            )


def _sub_folders(path: Path) -> list[Path]:
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
        if entry.is_dir(follow_symlinks=False) and not is_hidden(entry.name)
    ]


def _candidates(root: Path, folder: Path) -> tuple[list[tuple[Path, str | None]], int]:
    """Files with an image's suffix, sorted, each with the reason against it or None."""
    found: list[tuple[Path, str | None]] = []
    ignored = 0

    def unreadable(error: OSError) -> None:
        found.append((Path(error.filename), f"folder cannot be read: {error.strerror}"))

    for base, folders, files in os.walk(folder, onerror=unreadable, followlinks=False):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(files):
            file = Path(base, name)
            if is_hidden(name) or file.suffix.lower() not in SUFFIXES:
                ignored += 1
            else:
                found.append((file, objection(root, file)))
    return found, ignored


def _items(
    root: Path, filled: list[_ClassFolder], label_of: Mapping[str, int]
) -> Iterator[Item | Reject]:
    for found in filled:
        label = label_of[canonical(found.folder.name)]
        for file, reason in found.files:
            name = str(file.relative_to(root))
            if reason:
                yield Reject(name=name, reason=reason, label=label)
            else:
                yield Item(name=name, label=label, payload=file, split=found.split)
