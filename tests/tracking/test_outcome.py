"""The gate's words in the report and on the terminal, and the card as a description; no store."""

import html
from pathlib import Path

import pytest

from tests import colours
from thawline.dvc import hashes
from thawline.errors import UserError
from thawline.evaluation import gate_line
from thawline.registry import description, gate_outcome, publish
from thawline.registry.gate_outcome import Outcome
from thawline.runtime.output_paths import write_json

HOSTILE = "set aside by <script>x</script> \u202e| [a](b)"


def said(model: str = "0", **changed: object) -> Outcome:
    given = {"version": "3", "outcome": "failed", "reasons": ("slow",), "looks": 2, "model": model}
    return Outcome(**(given | changed))  # type: ignore[arg-type]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_lines_name_version_reasons_and_looks() -> None:
    assert said().lines() == [
        "Failed the gate: version 3 does not replace the champion.",
        "slow",
        "The gate has looked at this test set 2 times.",
    ]
    assert said(looks=1).lines()[-1].endswith("1 time.")
    assert len(said(looks=0).lines()) == 2


@pytest.mark.parametrize("place", [gate_line.HTML, gate_line.MARKDOWN])
def test_a_report_is_filled_once_and_again(place: str) -> None:
    report = f"above\n{place}\nbelow"
    once = gate_line.fill(report, "passed")
    assert "passed" in once
    assert "is decided when" not in once
    assert gate_line.fill(gate_line.fill(report, "failed"), "passed") == once
    assert once.startswith("above\n")
    assert once.endswith("\nbelow")
    assert gate_line.fill("of another version", "passed") == "of another version"


def test_words_of_strangers_stay_text() -> None:
    hostile = said(reasons=(HOSTILE,))
    assert "<script" not in gate_outcome.as_html(hostile)
    assert "\u202e" not in html.unescape(gate_outcome.as_html(hostile))
    assert not {"<", "["} & set(gate_outcome.as_markdown(hostile))


def test_the_table_shows_it_for_the_model_that_is_here(here: Path) -> None:
    assert Outcome.read() is None
    colours.write(here / "models/compress")
    written = said(hashes.md5(Path("models/compress")))
    write_json(gate_outcome.FILE, vars(written))
    assert Outcome.read() == written
    colours.write(here / "models/compress", scale=0.5)
    assert Outcome.read() is None
    gate_outcome.FILE.write_text("{")
    assert Outcome.read() is None


def test_a_card_becomes_a_description_without_the_lines_for_machines(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    assert description.from_card(path) is None
    path.write_text("---\ntags: [a]\n---\n\n# resnet18\n\n## Uses\n\nMany.\n")
    assert description.from_card(path) == "# resnet18\n\n## Uses\n\nMany."


def test_a_long_card_is_cut_after_a_section_and_says_where_the_rest_is(tmp_path: Path) -> None:
    path = tmp_path / "card.md"
    path.write_text("# a\n\n## Uses\n\nfew\n\n## Classes\n\n" + "x" * 6000 + "\n\n## Limits\n\nno")
    text = description.from_card(path)
    assert text is not None
    assert text.startswith("# a\n\n## Uses\n\nfew\n\nThe rest is in ")
    path.write_text("# a\n\n" + "y" * 9000)
    cut = description.from_card(path)
    assert cut is not None
    assert len(cut) == description.LIMIT


def test_publishing_again_keeps_what_the_gate_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models/compress").mkdir(parents=True)
    model = hashes.md5(Path("models/compress"))
    passed = said(model, outcome="passed", reasons=("credibly better",))
    gate_outcome.FILE.parent.mkdir(parents=True)
    write_json(gate_outcome.FILE, vars(passed))
    again = said(model, outcome="champion", reasons=("it is the champion",))
    assert again.with_reasons() == passed
    assert said(model, outcome="champion", version="9").with_reasons().version == "9"
    assert said(model, outcome="failed").with_reasons().outcome == "failed"


def test_a_model_that_was_not_evaluated_is_not_published(here: Path) -> None:
    colours.write(here / "models/compress")
    digest = hashes.md5(Path("models/compress"))
    lock = "stages:\n  evaluate:\n    deps:\n    - {path: models/compress, md5: MD5}\n"
    publish._check_evaluated(digest)
    (here / "dvc.lock").write_text(lock.replace("MD5", digest))
    publish._check_evaluated(digest)
    (here / "dvc.lock").write_text(lock.replace("MD5", "another"))
    with pytest.raises(UserError, match="not the model that was evaluated last"):
        publish._check_evaluated(digest)
