"""Groups from the names of images."""

import time

import pytest

from thawline.errors import UserError
from thawline.ingest.splits.grouping import Grouping

NAMES = ["cat/patient12/a.png", "dog/patient3_b.png", "dog/other.png", "patient 9/caf\udce9.png"]


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"(patient\d+)", ["patient12", "patient3", None, None]),
        (r"patient *(\d+)", ["12", "3", None, "9"]),
        (r"^([^/]+)/", ["cat", "dog", "dog", "patient 9"]),
        (r"(?:cat|dog)/(?P<who>[a-z]+)", ["patient", "patient", "other", None]),
        (r"(?i)(PATIENT1?)", ["patient1", "patient", None, "patient"]),
        (r"([ab])\.png|other", ["a", "b", None, None]),
        (r"\(?(caf.)", [None, None, None, "caf\\"]),
    ],
)
def test_the_first_match_decides(pattern: str, groups: list[str | None]) -> None:
    assert Grouping(pattern).groups(NAMES) == groups


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("(patient", "no regular expression"),
        (r"patient\d+", "has 0 groups"),
        (r"(patient)(\d+)", "has 2 groups"),
        (r"(?=x)(y)", "no regular expression"),
        (r"(x)\1", "no regular expression"),
        ("(" * 250 + ")" * 250, ""),
        ("(a{1000}){1000}", "no regular expression"),
    ],
)
def test_what_is_no_such_pattern_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        Grouping(pattern)
    text = str(caught.value)
    assert "ingest.group_by" in text
    assert problem in text
    assert text.isprintable()


@pytest.mark.parametrize("pattern", ["(camera)", "x*()"])
def test_a_pattern_that_matches_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(UserError, match="matches no image"):
        Grouping(pattern).groups(NAMES)


def test_a_pattern_that_would_take_ages_does_not() -> None:
    """Python's own engine needs 2^30 steps for the first of these names."""
    names = ["a" * 30 + "!", "a" * 100_000 + "!", "aab"]
    started = time.process_time()
    assert Grouping("((?:a+)+)b").groups(names) == [None, None, "aa"]
    assert time.process_time() - started < 2


def test_an_empty_set_is_not_blamed_on_the_pattern() -> None:
    assert Grouping("(a)").groups([]) == []
