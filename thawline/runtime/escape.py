"""Escape untrusted names: class and file names in pictures, Markdown and terminals."""

import re
import unicodedata

_MARKUP = re.compile(
    r"^\ *(?:(?:[-+]|\d+[.)])(?=\ |$)|[-=]+\ *$)"  # of a list, or under a heading
    r"|[\\`*{}\[\]<>&|~^$#@]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # within a word it is no emphasis
    # Not in numbers, nor before a gap: without these no address becomes a link.
    r"|[.:](?!\ |$)(?:(?<!\d.)|(?!\d))"
)
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(name: str, limit: int | None = None) -> str:
    """Escape control, bidirectional and other invisible characters of a name, then cut it.

    >>> visible("a\\nb\\u202ec")
    'a\\\\nb\\\\u202ec'
    """
    return cut("".join(_escape_character(character) for character in name), limit)


def cut(name: str, limit: int | None) -> str:
    """Cut a name to `limit` characters in its middle: long names often differ at the end."""
    if limit is None or len(name) <= limit:
        return name
    tail = (limit - 1) // 3
    return f"{name[: limit - 1 - tail]}…{name[len(name) - tail :]}"


def markdown(name: str, limit: int | None = None) -> str:
    """Escape a name as `visible` does, and for Markdown and HTML: no markup, no link.

    What may be markup where it stands becomes character references; a backslash would not stop
    GitHub's automatic links.

    >>> markdown("<b>3.5</b>: see www.example.org. max_drop")
    '&#60;b&#62;3.5&#60;/b&#62;: see www&#46;example&#46;org. max_drop'
    """
    return _MARKUP.sub(_reference, visible(name, limit))


def escape(name: str, limit: int = 120) -> str:
    """Escape an untrusted name for printing: one line, control and direction marks, cut."""
    text = name.encode("utf-8", "backslashreplace").decode()
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return (
        escaped if len(escaped) <= limit else f"{escaped[: limit // 2]}...{escaped[-limit // 3 :]}"
    )


def storable(name: str) -> str:
    """Escape bytes of a file name that are not UTF-8: it can be opened, but not stored."""
    if name.isascii():
        return name  # not a copy for each image
    return name.encode("utf-8", "backslashreplace").decode()


def _reference(found: re.Match[str]) -> str:
    return "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in found[0])


def _escape_character(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode()
