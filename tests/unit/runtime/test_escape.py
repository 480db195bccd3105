"""Names from strangers in Markdown: text stays text, and the file can be read."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from thawline.runtime.escape import markdown, visible

_READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_PIECES = st.sampled_from([*"\\`*_{}[]()<>#+-.!|~&:@$^='\"/1aé ", "www.a.b", "http://a.b", "a@b.c"])


@given(st.lists(_PIECES, max_size=12).map("".join))
@example("<script>alert(1)</script>")
@example("[x](javascript:alert(1))")
@example("---")
@example("1. one")
@settings(deadline=None)
def test_any_name_is_only_text(name: str) -> None:
    line, cell = f"of {markdown(name)}", f"| a |\n| - |\n| {markdown(name)} |"
    assert _text(line) == f"of {visible(name)}".rstrip()
    assert _text(cell) == "a" + visible(name).strip()
    assert name.startswith("    ") or _text(markdown(name)) == visible(name).strip()


def _text(source: str) -> str:
    """What a reader shows, provided that it finds a paragraph or a table and nothing in it."""
    found = []
    for token in _READER.parse(source):
        assert token.type.startswith(("paragraph", "table", "t", "inline")), token
        found += token.children or []
    assert {token.type for token in found} <= {"text"}, found
    return "".join(token.content for token in found)


@pytest.mark.parametrize(
    "text",
    ["97.22", "+3.14 to -4.5 (95 %)", "not decided; was 12:30", "max_drop, a/b", "The guide: it."],
)
def test_what_means_nothing_is_left_as_it_is(text: str) -> None:
    assert markdown(text) == text


@pytest.mark.parametrize("text", ["www.a.b", "http://a", "a.com", "me@a.b", "a:b"])
def test_nothing_becomes_an_address(text: str) -> None:
    """Readers look for these in the source, or in text in which there is no reference."""
    assert not [m for m in ("www.", "://", ".com", "@", "a:") if m in markdown(text)]
