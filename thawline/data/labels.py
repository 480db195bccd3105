"""Names and order of the classes where a source gives labels as numbers or as text."""

from collections.abc import Iterable, Sequence

from thawline.data.items import shown
from thawline.errors import UserError

MAX_CLASSES = 65_536
"""More are a wrong column: a file name or a number of its own in each row."""
_KEY = "ingest.options.classes"


def numbered(classes: Sequence[str] | None, largest: int) -> tuple[str, ...]:
    """Class names for labels 0..largest: those of the option, else the numbers.

    Raises:
        UserError: fewer names than labels, a name twice, or labels too large to be classes.
    """
    if largest >= MAX_CLASSES:
        raise UserError(f"ingest.path: label {largest} is not allowed; at most {MAX_CLASSES - 1}")
    if classes is None:
        return tuple(str(number) for number in range(largest + 1))
    named = checked(classes)
    if len(named) <= largest:
        raise UserError(f"{_KEY}: {len(named)} names, but the labels go from 0 to {largest}")
    return named


def checked(classes: Sequence[str]) -> tuple[str, ...]:
    """Class names from the option, in its order.

    Raises:
        UserError: fewer than two, an empty one, or one twice.
    """
    if len(classes) < 2:
        raise UserError(f"{_KEY}: {len(classes)} name(s); at least 2 are needed")
    seen: set[str] = set()
    for name in classes:
        if not name or name in seen:
            problem = "occurs twice" if name else "is empty"
            raise UserError(f"{_KEY}: {shown(name, 60)!r} {problem}; names must differ")
        seen.add(name)
    return tuple(classes)


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Sorted; whole numbers by value, so that class 10 follows class 9."""
    listed = list(names)
    if all(name.isascii() and name.isdigit() and len(name) < 20 for name in listed):
        return tuple(sorted(listed, key=lambda name: (int(name), name)))
    return tuple(sorted(listed))
