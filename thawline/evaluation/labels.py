"""Show names that come from strangers: class and file names in pictures, Markdown and terminals."""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(name: str, limit: int | None = None) -> str:
    """The name with control, bidirectional and other invisible characters written out, then cut.

    >>> visible("a\\nb\\u202ec")
    'a\\\\nb\\\\u202ec'
    """
    return cut("".join(_shown(character) for character in name), limit)


def cut(name: str, limit: int | None) -> str:
    """At most `limit` characters: the middle goes, since long names often differ at the end."""
    if limit is None or len(name) <= limit:
        return name
    tail = (limit - 1) // 3
    return f"{name[: limit - 1 - tail]}…{name[len(name) - tail :]}"


def markdown(name: str, limit: int | None = None) -> str:
    """As `visible`, in a form that neither Markdown nor HTML takes for markup or a link.

    All ASCII punctuation becomes character references; a backslash would not stop GitHub's
    automatic links.
    """
    return "".join(
        f"&#{ord(c)};" if c.isascii() and not c.isalnum() and c not in " -/," else c
        for c in visible(name, limit)
    )


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode()
