"""Normalise class names, and find differences between them that nobody sees."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from thawline.runtime.escape import escape, storable

_MAX_NAMED = 5
_SEPARATORS = re.compile(r"\s*[|;,/+&]\s*|\s+")
_MISSING = frozenset({"nan", "null", "n/a", "#n/a", "<na>", "nat", "?", "-1"})
_WHOLE_AS_DECIMAL = re.compile(r"\d+\.0+", re.ASCII)


def canonical(name: str) -> str:
    """Normalise a class name to valid UTF-8 in Unicode's composed form (NFC).

    A name from macOS is decomposed: the same letters to a reader, other characters to a program.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", storable(name))


def _visible(name: str) -> str:
    return "".join(c for c in name if unicodedata.category(c) != "Cf")


def _joined(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip())


def _without_zeros(name: str) -> str:
    return re.sub(r"(?<![\d.])0+(?=\d)", "", name)


_FOLDS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("Unicode form", lambda name: unicodedata.normalize("NFKC", name)),
    ("invisible characters", _visible),
    ("case", str.lower),
    ("blanks, _ or -", _joined),
    ("leading zeros", _without_zeros),
    ("a trailing .0", lambda name: re.sub(r"(?<=\d)\.0+$", "", name)),
)
"""Foldings that make two spellings of one name equal, by what they differ in."""


def alike(name: str, classes: Iterable[str]) -> list[tuple[str, str]]:
    """Find other classes that may be another spelling of this one, each with the difference.

    Names that are equal in NFC are found too, for sources that have not joined them.
    """
    key = _folded(name)
    return [
        (other, _difference(name, other))
        for other in classes
        if other != name and _folded(other) == key
    ]


def remarks(classes: Sequence[str]) -> list[str]:
    """Describe oddities of a set's class names, at most one line per kind."""
    found = (_lookalikes(classes), _combined(classes), _decimals(classes), _missing(classes))
    return [line for line in found if line]


def _folded(name: str, without: str = "") -> str:
    for difference, fold in _FOLDS:
        if difference != without:
            name = fold(name)
    return name


def _difference(name: str, other: str) -> str:
    needed = [
        difference
        for difference, _ in _FOLDS
        if _folded(name, difference) != _folded(other, difference)
    ]
    return f"{' and '.join(needed)} only" if needed else "spelling only"


def _lookalikes(classes: Sequence[str]) -> str | None:
    groups: dict[str, list[str]] = {}
    for name in classes:
        groups.setdefault(_folded(name), []).append(name)
    pairs = [
        f"{_quoted(first)} and {_quoted(other)} differ by {_difference(first, other)}"
        for first, *others in groups.values()
        for other in others
    ]
    return f"classes {_listed(pairs, '; ')}: are they one?" if pairs else None


def _combined(classes: Sequence[str]) -> str | None:
    """Describe classes made of other classes' names, most likely two labels in one cell."""
    names = set(classes)
    parts_of = {name: parts for name in classes if len(parts := _parts(name)) > 1}
    uses = Counter(part for parts in parts_of.values() for part in set(parts))
    several = [
        name
        for name, parts in parts_of.items()
        if all(part in names for part in parts)
        or (not _by_blanks(name) and all(part in names or uses[part] > 1 for part in parts))
    ]
    if not several:
        return None
    return (
        f"{len(several)} class(es) are made of names of others "
        f"({_listed([_quoted(name) for name in several])}): an image has one label here, "
        "and such a combination is a class of its own"
    )


def _parts(name: str) -> list[str]:
    return [part for part in _SEPARATORS.split(name) if part]


def _by_blanks(name: str) -> bool:
    """Return True where a name's parts are separated by blanks only.

    'red apple' and 'red pear' share a word, and are not combinations.
    """
    return not any(mark in name for mark in "|;,/+&")


def _decimals(classes: Sequence[str]) -> str | None:
    odd = [name for name in classes if _WHOLE_AS_DECIMAL.fullmatch(name)]
    if not odd or len(odd) < len(classes):
        return None
    return (
        f"all class names are whole numbers written as decimals ({_quoted(odd[0])}), as a program "
        "writes a column with gaps; they are kept as they are"
    )


def _missing(classes: Sequence[str]) -> str | None:
    """Describe classes such as 'nan', which programs write for a missing label."""
    if {*classes} == {"-1", "1"}:
        return None  # as classifiers of two classes have them
    odd = [name for name in classes if name == "None" or name.lower() in _MISSING]
    if not odd:
        return None
    return f"class {_listed([_quoted(name) for name in odd], ' and ')} looks like a missing label"


def _quoted(name: str) -> str:
    return repr(escape(name, 40))


def _listed(texts: Sequence[str], joint: str = ", ") -> str:
    more = f" and {len(texts) - _MAX_NAMED} more" if len(texts) > _MAX_NAMED else ""
    return joint.join(texts[:_MAX_NAMED]) + more


def quoted(names: Iterator[str] | Sequence[str]) -> str:
    """List names for a message, the first five in quotes."""
    return _listed([_quoted(name) for name in names])
