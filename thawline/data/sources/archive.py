"""A zip or tar (gz, bz2, xz) of class folders, read as a stream: nothing is unpacked on disk.

The class is the first folder below the common root of the images, as in `folder`; folders train,
val and test above the classes are the splits. The archive is gone through twice: a compressed tar
has no table of contents.
"""

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from thawline.data.candidates import (
    SUFFIXES,
    check_unchanged,
    is_hidden,
    name_hash,
    repeated,
    signature,
)
from thawline.data.class_names import canonical, quoted
from thawline.data.given import split_folders
from thawline.data.items import Item, Reject, Source, shown
from thawline.data.labels import ordered
from thawline.data.members import Member, MemberError, members
from thawline.errors import UserError

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
Folder = tuple[str, ...]


@dataclass
class _Listing:
    """What the first walk found; 8 bytes a member and one entry a folder."""

    hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    images_in: dict[Folder, int] = field(default_factory=dict)
    num_refused: int = 0
    num_ignored: int = 0
    guessed: set[str] = field(default_factory=set)
    """Folders of images whose names' encoding is a guess, one of them at a time."""


@dataclass(frozen=True)
class _Place:
    class_name: str
    split: str | None


def read(path: Path, *, name_encoding: str = "") -> Source:
    """Class names are the folders' names, sorted; numbers by value.

    Hidden files, files of other types and loose files beside the class folders are no candidates.

    Args:
        name_encoding: of names that the archive does not declare as UTF-8, e.g. cp932 (Japanese),
            gbk, cp1251; without it UTF-8 where that fits, else cp437 as the zip standard has it.

    Raises:
        UserError: no archive, damaged, expanding too far, or fewer than two class folders with
            images; a damaged tar also in the middle.
    """
    before = signature(path)
    listing = _list(path, name_encoding)
    places, num_loose = _places(listing.images_in)
    classes = ordered({place.class_name for place in places.values()})
    if len(classes) < 2:
        raise UserError(
            f"ingest.path: {shown(path.name)!r} has {len(classes)} class folder(s) with images "
            f"({', '.join(sorted(SUFFIXES))}); at least 2 are needed, one folder per class"
        )
    twice = repeated(listing.hashes)

    def items() -> Iterator[Item | Reject]:
        label_of = {name: k for k, name in enumerate(classes)}
        yield from _items(path, places, label_of, twice, name_encoding)
        check_unchanged(path, before)

    return Source(
        classes=classes,
        items=items(),
        num_items=sum(listing.images_in.values()) - num_loose + listing.num_refused,
        num_ignored=listing.num_ignored + num_loose,
        remarks=_guessed(classes, listing.guessed),
    )


def _guessed(classes: Sequence[str], folders: Collection[str]) -> tuple[str, ...]:
    """Say which class names may be unreadable: nobody said how they are encoded."""
    odd = [name for name in classes if name in folders]
    if not odd:
        return ()
    return (
        f"the archive does not say how the names of classes {quoted(odd)} are encoded; where they "
        "look wrong, set ingest.options.name_encoding, e.g. to cp932, gbk, cp1251 or cp1252",
    )


def _list(path: Path, name_encoding: str) -> _Listing:
    listing = _Listing()
    for member in members(path, name_encoding):
        listing.hashes.append(name_hash(member.name))
        if _refused(member):
            listing.num_refused += 1
        elif not _is_image(member.name):
            listing.num_ignored += 1
        else:
            folder = _folder(member.name)
            listing.images_in[folder] = listing.images_in.get(folder, 0) + 1
            if member.is_guessed:
                listing.guessed.update(canonical(part) for part in folder if not part.isascii())
    return listing


def _refused(member: Member) -> str | None:
    """The reason; what an operating system left behind is ignored, not refused."""
    hidden = any(is_hidden(part) for part in member.name.split("/") if part != "..")
    if hidden:
        return None
    if member.problem is None and member.name.lower().endswith(_ARCHIVES):
        return "an archive inside the archive"
    return member.problem


def _is_image(name: str) -> bool:
    parts = name.split("/")
    return PurePosixPath(name).suffix.lower() in SUFFIXES and not any(map(is_hidden, parts))


def _folder(name: str) -> Folder:
    return tuple(name.split("/")[:-1])


def _places(images_in: Mapping[Folder, int]) -> tuple[dict[Folder, _Place], int]:
    """Class and split of each folder that has one, and the number of images in the others."""
    depth = _root_depth(images_in)
    split_of = split_folders({folder[depth] for folder in images_in if len(folder) > depth})
    level = depth + 1 if split_of else depth
    places = {
        folder: _Place(canonical(folder[level]), split_of.get(folder[depth]))
        for folder in images_in
        if len(folder) > level
    }
    return places, sum(count for folder, count in images_in.items() if folder not in places)


def _root_depth(folders: Mapping[Folder, int]) -> int:
    """Number of folders that all images share, loose ones on the way aside."""
    depth = 0
    while len({folder[depth] for folder in folders if len(folder) > depth}) == 1:
        depth += 1
    return depth


def _items(
    path: Path,
    places: Mapping[Folder, _Place],
    label_of: Mapping[str, int],
    twice: frozenset[int],
    name_encoding: str,
) -> Iterator[Item | Reject]:
    seen: set[int] = set()
    for member in members(path, name_encoding):
        reason = _refused(member)
        place = places.get(_folder(member.name)) if _is_image(member.name) else None
        hashed = name_hash(member.name) if twice else 0
        if reason is None and place and hashed in seen:
            reason = "the same name a second time"
        if hashed in twice:
            seen.add(hashed)
        if reason:
            yield Reject(name=member.name, reason=reason)
        elif place:
            yield _item(member, label_of[place.class_name], place.split)


def _item(member: Member, label: int, split: str | None) -> Item | Reject:
    try:
        return Item(name=member.name, label=label, payload=member.load(), split=split)
    except MemberError as error:
        return Reject(name=member.name, reason=str(error))
