"""Read a zip or tar (gz, bz2, xz) of class folders as a stream: nothing is unpacked on disk.

The class is the first folder below the common root of the images, as in `folder`; folders train,
val and test above the classes are the splits. The archive is gone through twice: a compressed tar
has no table of contents.
"""

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from thawline.errors import UserError
from thawline.ingest.decoding import file_format
from thawline.ingest.decoding.file_format import SUFFIXES
from thawline.ingest.files.archive_reader import Member, MemberError, members
from thawline.ingest.files.file_filter import (
    check_unchanged,
    name_hash,
    passed_by,
    repeated,
    signature,
)
from thawline.ingest.files.folder_walk import LOOSE, no_image, rule_for_suffix
from thawline.ingest.items import Item, Reject, Source
from thawline.ingest.labels.class_names import canonical, quoted
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

_ARCHIVES = (
    ".zip",
    ".tar",
    ".tgz",
    ".tbz2",
    ".txz",
    ".tar.gz",
    ".tar.bz2",
    ".tar.xz",
    ".7z",
    ".rar",
)
MAX_FOLDER_BYTES = 2**26
"""Bytes of the names of all folders with images, which are kept."""
Folder = tuple[str, ...]


@dataclass
class _ArchiveListing:
    """Result of the first walk; 8 bytes a member and one entry a folder.

    Attributes:
        by_bytes: hashes of the names of members that are images without an image's suffix.
    """

    hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    images_in: dict[Folder, int] = field(default_factory=dict)
    by_bytes: set[int] = field(default_factory=set)
    num_refused: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    refused: str = ""
    """The first member that is set aside unopened, and why."""
    guessed: set[str] = field(default_factory=set)
    """Folders of images whose names' encoding is a guess, one of them at a time."""


@dataclass(frozen=True)
class _Place:
    class_name: str
    split: str | None


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Class and split of each folder that has one.

    Attributes:
        without_class: folders of splits that have no class folders.
    """

    places: Mapping[Folder, _Place]
    without_class: Set[Folder]
    remarks: tuple[str, ...]


def read(path: Path, *, name_encoding: str = "") -> Source:
    """Read an archive; class names are the folders' names, sorted, numbers by value.

    Hidden files, files of other types and what systems leave behind are passed over and counted; an
    image beside the class folders is set aside.

    Args:
        path: the archive.
        name_encoding: encoding of names that the archive does not declare as UTF-8, e.g. cp932
            (Japanese), gbk, cp1251; without it UTF-8 where that fits, else cp437 as the zip
            standard has it.

    Raises:
        UserError: no archive, damaged, expanding too far, or fewer than two class folders with
            images; a damaged tar also in the middle.
    """
    before = signature(path)
    listing = _list(path, name_encoding)
    layout = _layout(listing.images_in)
    classes = ordered({place.class_name for place in layout.places.values()})
    if len(classes) < 2:
        raise UserError(
            f"ingest.path: {escape(path.name)!r} has {len(classes)} class folder(s) with images "
            f"({', '.join(sorted(SUFFIXES))}); at least 2 are needed, one folder per class"
            f"{_hint(listing, layout)}"
        )
    if flat := sum(listing.images_in[folder] for folder in layout.without_class):
        listing.passed_over[WITHOUT_CLASS] += flat
    label_of = {name: label for label, name in enumerate(classes)}

    def items() -> Iterator[Item | Reject]:
        yield from _items(path, listing, layout, label_of, name_encoding)
        check_unchanged(path, before)

    return Source(
        classes=classes,
        items=items(),
        num_items=sum(listing.images_in.values()) - flat + listing.num_refused,
        noun="files",
        passed_over=dict(listing.passed_over),
        remarks=(*layout.remarks, *_guessed(classes, listing.guessed)),
        check_unchanged=lambda: check_unchanged(path, before),
    )


def _hint(listing: _ArchiveListing, layout: _Layout) -> str:
    """Describe what became of images that are in no class, for a message."""
    if listing.num_refused:
        return escape(f"; {listing.num_refused} set aside, first {listing.refused}", 300)
    return escape("".join(f"; {said}" for said in layout.remarks[:1]), 300)


def _guessed(classes: Sequence[str], folders: Collection[str]) -> tuple[str, ...]:
    """Describe class names that may be garbled because their encoding is a guess."""
    odd = [name for name in classes if name in folders]
    if not odd:
        return ()
    return (
        f"the archive does not say how the names of classes {quoted(odd)} are encoded; where they "
        "look wrong, set ingest.options.name_encoding, e.g. to cp932, gbk, cp1251 or cp1252",
    )


def _list(path: Path, name_encoding: str) -> _ArchiveListing:
    listing, folder_bytes = _ArchiveListing(), 0
    for member in members(path, name_encoding):
        hashed = name_hash(member.name)
        listing.hashes.append(hashed)
        if rule := _rule(member.name):
            listing.passed_over[rule] += 1
        elif reason := _refused(member):
            listing.num_refused += 1
            listing.refused = listing.refused or f"{escape(member.name, 60)!r}: {reason}"
        elif _is_named(member.name) or _is_image(member):
            folder = _folder(member.name)
            if folder not in listing.images_in:
                folder_bytes += len(member.name)
                if folder_bytes > MAX_FOLDER_BYTES:
                    raise UserError(
                        f"ingest.path: {escape(path.name)!r}: the names of its folders have more "
                        f"than {MAX_FOLDER_BYTES} characters"
                    )
            listing.images_in[folder] = listing.images_in.get(folder, 0) + 1
            if member.is_guessed:
                listing.guessed.update(canonical(part) for part in folder if not part.isascii())
            if not _is_named(member.name):
                listing.by_bytes.add(hashed)
        else:
            listing.passed_over[no_image(_suffix(member.name))] += 1
    return listing


def _rule(name: str) -> str | None:
    """Return the rule by which a member is passed over because of its name, or None."""
    rules = (passed_by(part) for part in name.split("/") if part != "..")
    return next((rule for rule in rules if rule), None) or rule_for_suffix(_suffix(name))


def _refused(member: Member) -> str | None:
    """Return why a member is set aside, or None."""
    if member.problem is None and member.name.lower().endswith(_ARCHIVES):
        return "an archive inside the archive"
    return member.problem


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _is_named(name: str) -> bool:
    return _suffix(name) in file_format.IMAGE_SUFFIXES


def _is_image(member: Member) -> bool:
    """Return True where a member's first bytes are those of an image.

    An unreadable member counts as one: the error is reported when it would be decoded.
    """
    try:
        return file_format.image_format(member.head()) is not None
    except MemberError:
        return True


def _folder(name: str) -> Folder:
    return tuple(name.split("/")[:-1])


def _layout(images_in: Mapping[Folder, int]) -> _Layout:
    depth = _root_depth(images_in)
    tops: dict[str, list[Folder]] = {}
    for folder in images_in:
        if len(folder) > depth:
            tops.setdefault(folder[depth], []).append(folder)
    split_of = split_folders(
        tops, lambda top: has_class_folders(top, (f[depth:] for f in tops[top]))
    )
    if not split_of:
        places = {f: _Place(canonical(f[depth]), None) for f in images_in if len(f) > depth}
        said = likely_splits("/".join((*f[depth:], "")) for f in places)
        return _Layout(places=places, without_class=set(), remarks=(said,) if said else ())
    places, without_class, remarks = dict[Folder, _Place](), set[Folder](), []
    for top, folders in tops.items():
        if (split := split_of.get(top)) is None:
            without_class |= set(folders)
            remarks.append(beside_splits(top, sum(images_in[f] for f in folders)))
            continue
        level = _class_level(folders, depth + 1, split)
        found = {f: _Place(canonical(f[level]), split) for f in folders if len(f) > level}
        places |= found
        if not found:
            without_class |= set(folders)
            remarks.append(missing_split(top, split, sum(images_in[f] for f in folders)))
    return _Layout(places=places, without_class=without_class, remarks=tuple(remarks))


def _class_level(folders: list[Folder], level: int, split: str) -> int:
    """Find the depth of the classes below a split, whose folder may be there twice."""
    while len(names := {f[level] for f in folders if len(f) > level}) == 1:
        if not repeats_split(names.pop(), split):
            break
        level += 1
    return level


def _root_depth(folders: Mapping[Folder, int]) -> int:
    """Count the folders that all images share, except loose images on the way."""
    depth = 0
    while len({folder[depth] for folder in folders if len(folder) > depth}) == 1:
        depth += 1
    return depth


def _items(
    path: Path,
    listing: _ArchiveListing,
    layout: _Layout,
    label_of: Mapping[str, int],
    name_encoding: str,
) -> Iterator[Item | Reject]:
    twice, seen = repeated(listing.hashes), set[int]()
    for member in members(path, name_encoding):
        if _rule(member.name):
            continue
        hashed = name_hash(member.name) if twice or listing.by_bytes else 0
        reason = _refused(member)
        is_image = _is_named(member.name) or hashed in listing.by_bytes
        folder = _folder(member.name)
        if reason is None and (not is_image or folder in layout.without_class):
            continue
        place = layout.places.get(folder)
        if reason is None and hashed in seen:
            reason = "the same name a second time"
        if hashed in twice:
            seen.add(hashed)
        if reason or place is None:
            yield Reject(name=member.name, reason=reason or LOOSE)
        else:
            yield _item(member, label_of[place.class_name], place.split)


def _item(member: Member, label: int, split: str | None) -> Item | Reject:
    try:
        return Item(name=member.name, label=label, payload=member.load(), split=split)
    except MemberError as error:
        return Reject(name=member.name, reason=str(error))
