"""Names that strangers choose, where they are not names of image files."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from thawline.errors import UserError
from thawline.ingest.files.archive_reader import members
from thawline.models import checkpoint
from thawline.prediction.model import CARD, Predictor
from thawline.studies import definition


def test_a_member_without_a_name_is_set_aside(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/1.png", b"a")
        archive.writestr("n", b"a")
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(re.sub(rb"(?<=\0)n(?=a|PK)", b"\0", data))
    found = list(members(tmp_path / "a.zip"))
    assert [(member.name, member.problem) for member in found] == [
        ("a/1.png", None), ("", "no name"),
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["a\n b", "\x7f", "\u202eabc", "k" * 5000])
def test_a_strange_key_of_a_card_is_shown_on_one_line(tmp_path: Path, key: str) -> None:
    (tmp_path / CARD).write_text(json.dumps({key: 1}))
    for read in (checkpoint.read_card, Predictor):
        with pytest.raises(UserError) as caught:
            read(tmp_path)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


HOSTILE = (
    "-rf", "a b", "a;$(touch x)", "a\nb", "a'b", "\x1b[2J", "\u202eabc", "a" * 250, "..", ".a",
    "caf\u00e9", "cafe\u0301", "a.lock", "", "\udcff",
)  # fmt: skip
"""Shell characters, control codes, forms of one name, what git takes for no reference."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_of_a_study_is_refused(tmp_path: Path, name: str) -> None:
    """Before its file is read, and before anything is run or made under that name."""
    with pytest.raises(UserError, match="not allowed as the name of a study") as caught:
        definition.load(tmp_path / f"{name}.yaml")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
