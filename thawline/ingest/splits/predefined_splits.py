"""Keep splits that a data set brings with it, and draw missing ones from train."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from thawline.errors import UserError
from thawline.runtime.escape import escape

SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "development": "val",
    "eval": "val",
    "evaluation": "val",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "holdout": "test",
    "heldout": "test",
}
"""Names that data sets use for splits, in lower case."""
WITHOUT_CLASS = "an image without a class folder"
_FILLER_WORDS = """set sets data dataset image images img imgs pic pics picture pictures photo
photos sample samples split folder full final new"""
_FILLERS = frozenset(_FILLER_WORDS.split())
"""Words that stand beside the name of a split and say nothing."""
_STRENGTH = (None, "train", "val", "test")


def strength(split: str | None) -> int:
    """Rank a predefined split: a copy in a higher one is kept."""
    return _STRENGTH.index(split)


def stronger(split: str | None, than: str | None) -> bool:
    """Return True where the copy in `split` is kept: never the training copy of a test image."""
    return strength(split) > strength(than)


def split_named(name: str) -> tuple[str, str] | None:
    """Recognise the name of a split in one of its spellings, e.g. training_set or val2017.

    Returns:
        The split, and the words of the name that are neither its own nor fillers; None where the
        name holds no name of a split, or more than one.
    """
    if split := SPLIT_NAMES.get(name.strip().lower()):
        return split, ""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.findall(r"[^\W\d_]+", re.sub(r"(?i)\b(hold|held)[-_ ]out", r"\1out", spaced).lower())
    words = [part for word in words for part in _parts(word)]
    found = [SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES]
    if len(found) != 1:
        return None
    rest = [word for word in words if word not in SPLIT_NAMES and word not in _FILLERS]
    return found[0], " ".join(rest)


def _parts(word: str) -> list[str]:
    """Separate a split's name from a filler that it is written together with: trainset."""
    for name in sorted(SPLIT_NAMES, key=len, reverse=True):
        if word.startswith(name) and word.removeprefix(name) in _FILLERS:
            return [name]
    return [word]


def split_folders(
    names: Iterable[str], has_classes: Callable[[str], bool] = lambda _: True
) -> dict[str, str]:
    """Map folder names to splits; empty when the folders are classes.

    They are splits when `train` and `val` or `test` are among them, in any spelling whose other
    words are the same in each (seg_train, seg_test): a lone `train` beside `bus` is a class.

    Args:
        names: names of the folders.
        has_classes: returns True where a folder that is no split may hold class folders; one that
            does not, such as annotations or seg_pred, is left out.

    Raises:
        UserError: folders of splits beside others, or two folders of one split.
    """
    ordered = sorted(names)
    read = {name: split for name in ordered if (split := split_named(name))}
    rests = Counter(rest for _, rest in read.values())
    usual = max(rests, key=lambda rest: rests[rest], default="")
    found = {name: split for name, (split, rest) in read.items() if rest == usual}
    splits = set(found.values())
    if "train" not in splits or len(splits) < 2:
        return {}
    others = [name for name in ordered if name not in found and has_classes(name)]
    if others or len(splits) < len(found):
        listed = ", ".join(repr(escape(name, 40)) for name in (others or list(found))[:5])
        problem = f"beside {listed}" if others else f"two of one split: {listed}"
        raise UserError(
            f"ingest.path: has folders of splits ({escape(', '.join(found))}) {problem}; expected "
            "either one folder per class, or one each for train, val and test with the classes "
            "below"
        )
    return found


def repeats_split(name: str, split: str) -> bool:
    """Return True where a lone folder below a split's repeats its name, as unpacking does."""
    again = split_named(name)
    return again is not None and again[0] == split


def likely_splits(files: Iterable[str]) -> str | None:
    """Describe folders taken for classes that hold the same folders, as those of splits do.

    Args:
        files: names of images, each with its folders from the class on.
    """
    below: dict[str, set[str]] = {}
    for name in files:
        top, _, rest = name.partition("/")
        folder, slash, _ = rest.partition("/")
        if slash:
            below.setdefault(top, set()).add(folder)
    counts = Counter(folder for folders in below.values() for folder in folders)
    shared = sorted(folder for folder, count in counts.items() if count > 1)
    if not shared or 2 * len(shared) < len(counts):
        return None
    tops = sorted(top for top, folders in below.items() if folders & set(shared))
    if {"train", "test"} <= {read[0] for name in shared if (read := split_named(name))}:
        return (
            f"class folders {_listed(tops)} hold folders of splits {_listed(shared)}, which are "
            "not kept: new splits are drawn; to keep them, let train, val and test hold the classes"
        )
    return (
        f"folders {_listed(tops)} are taken for classes, and hold the same folders "
        f"{_listed(shared)}: if they are splits, call them train, val and test"
    )


def missing_split(folder: str, split: str, num_images: int) -> str:
    """Describe a split whose folder has no class folder with images."""
    what = f"the folder {escape(folder, 40)!r} holds no image"
    drawn = f"; the {split} rows are drawn from train"
    if num_images:
        lie = "image lies" if num_images == 1 else "images lie"
        what = (
            f"{num_images:,} {lie} beside class folders in {escape(folder, 40)!r}, have no class "
            "and are passed over"
        )
        drawn += "; to use them, lay them into class folders there"
    if split == "train":
        drawn = "; to use them, lay them into class folders there" if num_images else ""
    return f"{what}{drawn}"


def has_class_folders(top: str, folders: Iterable[Sequence[str]]) -> bool:
    """Return True where images lie in folders other than the top one, or its repetition.

    Args:
        top: name of the top folder.
        folders: folders of the images below `top`, as parts from `top` on.
    """
    return any(set(parts) != {top} for parts in folders)


def beside_splits(folder: str, num_images: int) -> str:
    """Describe images in a folder that is no split and has no class folders."""
    if not num_images:
        return f"the folder {escape(folder, 40)!r} beside the splits holds no image"
    lie = "image lies" if num_images == 1 else "images lie"
    return (
        f"{num_images:,} {lie} in {escape(folder, 40)!r}, which is no split and has no class "
        "folders, and are passed over"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(repr(escape(name, 40)) for name in names[:4]) + more


@dataclass(frozen=True)
class Given:
    """The predefined splits, by key (a row's group, else its pixels)."""

    split_of: Mapping[str, str]

    @classmethod
    def from_rows(cls, keys: Sequence[str], splits: Sequence[str | None]) -> "Given":
        """Build the predefined splits from the rows.

        Raises:
            UserError: one group in two splits.
        """
        split_of: dict[str, str] = {}
        for key, split in zip(keys, splits, strict=True):
            if split is not None and split_of.setdefault(key, split) != split:
                raise UserError(
                    f"group {escape(key)!r} is given in {split_of[key]} and in {split}; "
                    "a group must be in one split"
                )
        return cls(split_of)

    @cached_property
    def splits(self) -> frozenset[str]:
        return frozenset(self.split_of.values())

    @cached_property
    def drawn(self) -> frozenset[str]:
        """Held-out splits that are not predefined: drawn from the rows given as train."""
        return frozenset({"val", "test"}) - self.splits if self.split_of else frozenset()

    def settle(self, hashed: Mapping[str, str]) -> dict[str, str]:
        """Replace hashed splits, by key, by the predefined ones."""
        settled = dict(hashed)
        for key, split in self.split_of.items():
            if split != "train" or settled[key] not in self.drawn:
                settled[key] = split
        return settled

    def may_move(self, key: str, to: str) -> bool:
        """Return True where a class that lacks a row in `to` may take this one."""
        split = self.split_of.get(key, to)
        return split == to or (split == "train" and to in self.drawn)


NONE = Given({})
