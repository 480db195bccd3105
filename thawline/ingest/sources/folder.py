"""Read a folder with one sub-folder per class, files nested at any depth below it.

Where train, val and test folders stand above the classes, they are the splits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thawline.errors import UserError
from thawline.ingest.decoding.file_format import SUFFIXES
from thawline.ingest.files.file_filter import changed
from thawline.ingest.files.folder_walk import LOOSE, Entry, Walker, scan
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.labels.class_names import canonical
from thawline.ingest.labels.labels import ordered
from thawline.ingest.splits.predefined_splits import (
    WITHOUT_CLASS,
    beside_splits,
    has_class_folders,
    likely_splits,
    missing_split,
    repeats_split,
    split_folders,
)
from thawline.runtime.escape import escape
from thawline.runtime.links import Bounds


@dataclass(frozen=True, kw_only=True)
class _ClassFolder:
    name: str
    split: str | None
    files: list[Entry]


@dataclass
class _FolderListing:
    """Contents of the folder: files by class, files without a class, and remarks.

    Attributes:
        loose: files that may be images and lie in no class folder.
    """

    walker: Walker
    folders: list[_ClassFolder] = field(default_factory=list)
    loose: list[Entry] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def files(self) -> Iterator[Entry]:
        """Yield every file that may be an image."""
        yield from self.loose
        for folder in self.folders:
            yield from folder.files


def read(path: Path) -> Source:
    """Read a folder; class names are the sub-folders' names, sorted, numbers by value.

    Folders of one name in two Unicode forms, as a Mac and another system write it, are one class.
    Hidden files, files of other types and what systems leave behind are passed over and counted; an
    image beside the class folders is set aside. Links are followed to files that `Bounds` allows.

    Raises:
        UserError: not a folder, not readable, or fewer than two class folders with images.
    """
    listing = _list(path)
    filled = [folder for folder in listing.folders if folder.files]
    names = ordered({canonical(folder.name) for folder in filled})
    if len(names) < 2:
        raise _too_few(path, names, listing)
    empty = {canonical(folder.name) for folder in listing.folders} - set(names)
    return Source(
        classes=names,
        items=_items(listing, filled, {name: label for label, name in enumerate(names)}),
        num_items=sum(1 for _ in listing.files()),
        noun="files",
        passed_over=dict(listing.walker.passed_over),
        empty_classes=ordered(empty),
        remarks=tuple(listing.remarks),
        check_unchanged=lambda: _check_unchanged(path, listing),
    )


def _list(path: Path) -> _FolderListing:
    walker = Walker(Bounds(path))
    listing = _FolderListing(walker)
    there = scan(path, "")
    if isinstance(there, str):
        problem = there.removeprefix("folder cannot be read: ")
        if str(path)[:1] == "~" and not path.exists():
            problem += "; ~ is not expanded here"
        raise UserError(
            f"ingest.path: {escape(str(path))!r}: {problem}; expected a folder with one "
            "sub-folder per class"
        )
    tops = walker.folders(there, "")
    for one in there:
        if not one.is_dir(follow_symlinks=False):
            listing.loose += map(_without_class, walker.file(one, one.name))
    beside: dict[str, list[Entry]] = {}

    def has_classes(top: str) -> bool:
        beside[top] = list(walker.walk(top))
        return has_class_folders(top, (e.name.split("/")[:-1] for e in beside[top]))

    if split_of := split_folders(tops, has_classes):
        for top, split in split_of.items():
            _list_split(listing, top, split)
        for top, entries in beside.items():
            _list_beside(listing, top, entries)
        return listing
    listing.folders += [
        _ClassFolder(name=top, split=None, files=list(walker.walk(top))) for top in tops
    ]
    if said := likely_splits(entry.name for entry in listing.files()):
        listing.remarks.append(said)
    return listing


def _list_split(listing: _FolderListing, top: str, split: str) -> None:
    walker, loose = listing.walker, list[Entry]()
    below = [top]
    while len(below) == 1 and (below[0] == top or repeats_split(Path(below[0]).name, split)):
        folder = below[0]
        entries = scan(walker.bounds.root, folder)
        if isinstance(entries, str):
            listing.loose.append(Entry(folder, entries))
            return
        for one in entries:
            if not one.is_dir(follow_symlinks=False):
                loose += walker.file(one, f"{folder}/{one.name}")
        below = walker.folders(entries, f"{folder}/")
    found = [
        _ClassFolder(name=Path(name).name, split=split, files=list(walker.walk(name)))
        for name in below
    ]
    listing.folders += found
    if any(folder.files for folder in found):
        listing.loose += map(_without_class, loose)
        return
    images = [entry for entry in loose if entry.reason is None]
    listing.loose += [entry for entry in loose if entry.reason]
    if images:
        walker.passed_over[WITHOUT_CLASS] += len(images)
    listing.remarks.append(missing_split(top, split, len(images)))


def _list_beside(listing: _FolderListing, top: str, entries: list[Entry]) -> None:
    """Pass over files beside the splits that have no classes, such as images to predict."""
    listing.loose += [entry for entry in entries if entry.reason]
    if images := sum(entry.reason is None for entry in entries):
        listing.walker.passed_over[WITHOUT_CLASS] += images
    listing.remarks.append(beside_splits(top, images))


def _without_class(entry: Entry) -> Entry:
    return entry if entry.reason else entry._replace(reason=LOOSE)


def _items(
    listing: _FolderListing, filled: list[_ClassFolder], label_of: Mapping[str, int]
) -> Iterator[Item | Reject]:
    for entry in listing.loose:
        yield Reject(name=entry.name, reason=str(entry.reason))
    for found in filled:
        label = label_of[canonical(found.name)]
        for entry in found.files:
            if entry.reason:
                yield Reject(name=entry.name, reason=entry.reason, label=label)
            else:
                file = listing.walker.path(entry)
                yield Item(name=entry.name, label=label, payload=file, split=found.split)


def _check_unchanged(path: Path, before: _FolderListing) -> None:
    """Compare names, sizes and times of possible images with those of another walk.

    Inodes are left out: some network file systems renew them.
    """
    known, now = set(before.files()), set(_list(path).files())
    if known != now:
        raise changed(path, {e.name for e in known ^ now}, {e.name for e in now - known})


def _too_few(path: Path, names: Sequence[str], listing: _FolderListing) -> UserError:
    hint = ""
    filled = [folder for folder in listing.folders if folder.files]
    below = {e.name.split("/")[1] for one in filled for e in one.files if e.name.count("/") > 1}
    if len(filled) == 1 and below:
        hint = f"; it holds {len(below)} folder(s): is {filled[0].name!r} meant?"
    elif listing.remarks:
        hint = f"; {listing.remarks[0]}"
    elif loose := sum(entry.reason == LOOSE for entry in listing.loose):
        hint = f"; {loose} image(s) lie in it directly, in no class folder"
    return UserError(
        f"ingest.path: {escape(str(path))!r} has {len(names)} class folder(s) with images "
        f"({', '.join(sorted(SUFFIXES))}); at least 2 are needed, one sub-folder per class"
        f"{escape(hint, 300)}"
    )
