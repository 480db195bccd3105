"""Name and order the classes of a source that gives labels as numbers or as text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from thawline.errors import UserError
from thawline.ingest.labels.class_names import canonical
from thawline.runtime.escape import escape

MAX_CLASSES = 65_536
"""More are a wrong column: a file name or a number of its own in each row."""
_KEY = "ingest.options.classes"
_NUMBER = re.compile(r"[+-]?\d{1,19}(\.\d{0,19})?", re.ASCII)
_WITH_NUMBER = re.compile(r"(\D*)(\d{1,19})(\D*)", re.ASCII)
_WHOLE = re.compile(r"(\d{1,19})(\.0*)?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Classes:
    """The classes of a source whose labels are numbers.

    Attributes:
        names: names of the labels that occur, in the order of the numbers.
        position: index into names by label.
        absent: declared names without a row.
        remarks: lines for the user.
    """

    names: tuple[str, ...]
    position: Mapping[int, int]
    absent: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def positions(self, labels: np.ndarray) -> np.ndarray:
        """Convert labels, whole numbers (N,) or (N, 1), to indices into names, int64 (N,)."""
        lookup = np.zeros(max(self.position) + 1, dtype=np.int64)
        lookup[list(self.position)] = list(self.position.values())
        return np.asarray(lookup[labels.reshape(-1)])


def check_number(classes: Sequence[str]) -> None:
    """Refuse an implausible number of classes.

    Raises:
        UserError: more than MAX_CLASSES.
    """
    if len(classes) > MAX_CLASSES:
        raise UserError(
            f"ingest.path: {len(classes):,} classes; at most {MAX_CLASSES:,}: is the name of an "
            "image taken for that of its class?"
        )


def numbered(classes: Sequence[str] | None, largest: int) -> tuple[str, ...]:
    """Name the labels 0..largest: by the option, else by their numbers.

    Raises:
        UserError: fewer names than labels, a name twice, or labels too large to be classes.
    """
    if largest >= MAX_CLASSES:
        raise UserError(f"ingest.path: label {largest} is not allowed; at most {MAX_CLASSES - 1}")
    if classes is None:
        return tuple(str(number) for number in range(largest + 1))
    named = checked(classes)
    if len(named) <= largest:
        raise UserError(
            f"{_KEY}: {len(named)} names, but the labels go up to {largest}; {largest + 1} are "
            "needed, one for each number from 0 on (a name without an image is no class)"
        )
    return named


def from_numbers(classes: Sequence[str] | None, labels: Iterable[int]) -> Classes:
    """Build the classes from the numbers that occur; a number or a name without a row is no class.

    Labels that start at 1 may have as many names as the largest label.

    Args:
        classes: names for 0, 1, ...; None for the numbers themselves.
        labels: each label that occurs, none below 0.

    Raises:
        UserError: see `numbered`; also fewer than two labels.
    """
    used, remarks = sorted(set(labels)), []
    if classes is not None and used[0] > 0 and len(checked(classes)) == used[-1] < MAX_CLASSES:
        names = ("", *checked(classes))
        declared: Sequence[int] = range(1, len(names))
        remarks = [f"the labels start at {used[0]}: {_KEY} is taken as the names of 1 and up"]
    else:
        names = numbered(classes, used[-1])
        declared = range(len(names))
    if len(used) < 2:
        raise UserError(
            f"ingest.path: every label is {used[0]}: 1 class; at least 2 classes are needed"
        )
    kept = frozenset(used)
    return Classes(
        names=tuple(names[label] for label in used),
        position={label: position for position, label in enumerate(used)},
        absent=tuple(names[label] for label in declared if label not in kept),
        remarks=tuple(remarks),
    )


def checked(classes: Sequence[str]) -> tuple[str, ...]:
    """Check the class names of the option, and return them in its order.

    Raises:
        UserError: fewer than two, an empty one, or one twice.
    """
    if len(classes) < 2:
        raise UserError(f"{_KEY}: {len(classes)} name(s); at least 2 are needed")
    named = tuple(map(canonical, classes))
    seen: set[str] = set()
    for name in named:
        if not name or name in seen:
            problem = "occurs twice" if name else "is empty"
            raise UserError(f"{_KEY}: {escape(name, 60)!r} {problem}; names must differ")
        seen.add(name)
    return named


def whole_number(label: str) -> int | None:
    """Parse a label that is a whole number, also one written as 1.0; None for other text."""
    match = _WHOLE.fullmatch(label)
    return int(match[1]) if match else None


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names; where they differ only in a number, by its value: class_10 follows class_9."""
    listed = list(names)
    if all(map(_NUMBER.fullmatch, listed)):
        return tuple(sorted(listed, key=lambda name: (Decimal(name), name)))
    parts = {name: match for name in listed if (match := _WITH_NUMBER.fullmatch(name))}
    if len(parts) == len(listed) and len({match.group(1, 3) for match in parts.values()}) == 1:
        return tuple(sorted(listed, key=lambda name: (int(parts[name][2]), name)))
    return tuple(sorted(listed))
