"""Show names that come from strangers: class and file names in pictures, Markdown and terminals."""

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

    What may be markup where it stands becomes character references; a backslash would not stop
    GitHub's automatic links.

    >>> markdown("<b>3.5</b>: see www.example.org. max_drop")
    '&#60;b&#62;3.5&#60;/b&#62;: see www&#46;example&#46;org. max_drop'
    """
    return _MARKUP.sub(_reference, visible(name, limit))


def escape(name: str, limit: int = 120) -> str:
    """A stranger's name, safe to print: one line, control and direction marks escaped, cut."""
    text = name.encode("utf-8", "backslashreplace").decode()
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return (
        escaped if len(escaped) <= limit else f"{escaped[: limit // 2]}...{escaped[-limit // 3 :]}"
    )


def storable(name: str) -> str:
    """A name that is not UTF-8 can be opened, but not stored."""
    if name.isascii():
        return name  # not a copy for each image
    return name.encode("utf-8", "backslashreplace").decode()


def _reference(found: re.Match[str]) -> str:
    return "".join(c if c.isalnum() or c == " " else f"&#{ord(c)};" for c in found[0])


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode()
