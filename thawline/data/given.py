"""Splits that a set brings with it: they stand, and what they leave out is drawn from train."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from thawline.data.items import shown
from thawline.errors import UserError

SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""What sets call their splits, in lower case."""
_STRENGTH = (None, "train", "val", "test")


def strength(split: str | None) -> int:
    """Rank of a given split: a copy in a higher one stands."""
    return _STRENGTH.index(split)


def stronger(split: str | None, than: str | None) -> bool:
    """Whether the copy of a picture in `split` is kept: never the training copy of a test image."""
    return strength(split) > strength(than)


def split_folders(names: Iterable[str], key: str = "ingest.path") -> dict[str, str]:
    """Folder names to splits, empty when the folders are no splits but classes.

    They are splits when `train` and `val` or `test` are among them: a lone `train` beside `bus` is
    a class.

    Raises:
        UserError: folders of splits beside others, or two folders of one split.
    """
    ordered = sorted(names)
    found = {name: SPLIT_NAMES[name.lower()] for name in ordered if name.lower() in SPLIT_NAMES}
    splits = set(found.values())
    if "train" not in splits or len(splits) < 2:
        return {}
    others = [name for name in ordered if name not in found]
    if others or len(splits) < len(found):
        listed = ", ".join(repr(shown(name, 40)) for name in (others or list(found))[:5])
        problem = f"beside {listed}" if others else f"two of one split: {listed}"
        raise UserError(
            f"{key}: has folders of splits ({', '.join(found)}) {problem}; expected either one "
            "folder per class, or one each for train, val and test with the classes below"
        )
    return found


@dataclass(frozen=True)
class Given:
    """The splits that came with the set, by key (a row's group, else its pixels)."""

    split_of: Mapping[str, str]

    @classmethod
    def of(cls, keys: Sequence[str], splits: Sequence[str | None]) -> "Given":
        """Collect them.

        Raises:
            UserError: one group in two splits.
        """
        split_of: dict[str, str] = {}
        for key, split in zip(keys, splits, strict=True):
            if split is not None and split_of.setdefault(key, split) != split:
                raise UserError(
                    f"group {shown(key)!r} is given in {split_of[key]} and in {split}; "
                    "a group must be in one split"
                )
        return cls(split_of)

    @cached_property
    def splits(self) -> frozenset[str]:
        return frozenset(self.split_of.values())

    @cached_property
    def drawn(self) -> frozenset[str]:
        """Held-out splits that nobody gave: drawn from the rows given as train."""
        return frozenset({"val", "test"}) - self.splits if self.split_of else frozenset()

    def settle(self, hashed: Mapping[str, str]) -> dict[str, str]:
        """Hashed splits by key, with the given ones in their place."""
        settled = dict(hashed)
        for key, split in self.split_of.items():
            if split != "train" or settled[key] not in self.drawn:
                settled[key] = split
        return settled

    def may_move(self, key: str, to: str) -> bool:
        """Whether a class that lacks a row in `to` may take this one."""
        split = self.split_of.get(key, to)
        return split == to or (split == "train" and to in self.drawn)


NONE = Given({})
