"""Two spellings of one class, and names made of several: told, and joined only where equal."""

import pytest

from thawline.ingest.labels.class_names import alike, canonical, remarks

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def test_a_name_is_stored_composed_and_as_utf8() -> None:
    assert canonical(DECOMPOSED) == canonical(COMPOSED) == COMPOSED
    assert canonical("ant") == "ant"
    assert canonical("a\udcff") == "a\\udcff"


@pytest.mark.parametrize(
    ("name", "other", "difference"),
    [
        ("Ant", "ant", "case"),
        ("1", "01", "leading zeros"),
        ("plant 1", "plant 01", "leading zeros"),
        ("1", "1.0", "a trailing .0"),
        ("hot dog", "hot_dog", "blanks, _ or -"),
        ("ant ", "ant", "blanks, _ or -"),
        ("ant", "ant\u200b", "invisible characters"),
        (COMPOSED, DECOMPOSED, "Unicode form"),
        ("\uff11", "1", "Unicode form"),
        ("Hot Dog", "hot_dog", "case and blanks, _ or -"),
    ],
)
def test_names_that_look_alike_are_told_in_one_line(name: str, other: str, difference: str) -> None:
    (line,) = remarks([name, "bee", other])
    assert f" differ by {difference} only: are they one?" in line
    assert line.isprintable()
    assert alike(name, [name, "bee", other]) == [(other, f"{difference} only")]


@pytest.mark.parametrize(
    "names",
    [
        ["1", "10", "100"], ["a", "b"], ["-1", "1"], ["v1.10", "v1.1"], ["0", "00a"],
        ["red apple", "red pear", "pear"], ["1.5", "2.0"], ["t-shirt", "shirt"],
    ],
    ids=str,
)  # fmt: skip
def test_names_that_differ_are_not_told(names: list[str]) -> None:
    assert remarks(names) == []


def test_many_pairs_are_one_line() -> None:
    (line,) = remarks([text for k in range(9) for text in (f"ant {k}", f"Ant {k}")])
    assert line.count("differ by") == 5
    assert "and 4 more" in line


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["ant", "bee", "ant bee", "cat"], "1 class(es) are made of names of others ('ant bee')"),
        (["ant|bee", "bee|cat", "cat|ant"], "3 class(es)"),
        (["ant, bee", "ant", "bee"], "('ant, bee')"),
    ],
)
def test_several_labels_in_one_name_are_told(names: list[str], told: str) -> None:
    (line,) = remarks(names)
    assert told in line


def test_whole_numbers_written_as_decimals_are_told() -> None:
    (line,) = remarks(["1.0", "2.0", "10.0"])
    assert "'1.0'" in line


@pytest.mark.parametrize("name", ["nan", "NaN", "None", "<NA>", "n/a", "-1", "?"])
def test_a_gap_that_became_a_class_is_told(name: str) -> None:
    assert remarks(["ant", "bee", name]) == [f"class {name!r} looks like a missing label"]
    assert remarks(["ant", "bee", "none"]) == []
    assert remarks(["-1", "1"]) == []
