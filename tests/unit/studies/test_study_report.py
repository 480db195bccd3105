"""The report: what it says, that it needs nothing from elsewhere, and that names are no markup."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.unit.studies.conftest import Planned, rows
from thawline.studies import charts, report, summary
from thawline.studies.plan import Study
from thawline.studies.records import TrialRecord
from thawline.studies.scores import score

HOSTILE = "<script>alert(1)</script>|`x`"
ACCURACY = {"a, 0.0": 0.5, "a, 0.9": 0.6, "b, 0.0": 0.9, "b, 0.9": 0.51}


def records(study: Study, **changed: Any) -> list[TrialRecord]:
    found = []
    for place, contender in enumerate(study.contenders):
        for seed in study.definition.seeds:
            said = rows(ACCURACY[contender.label], seed, number=600)
            known: dict[str, Any] = {
                "study": study.name, "key": f"{place}{seed}", "contender": contender.label,
                "seed": seed, "overrides": contender.overrides, "state": "complete",
                "values": {"val_accuracy": score("accuracy", said), "macs": 1e6 * 2**place,
                           "val_rare_recall": score("rare_recall", said), "size_mb": 1.0 + place},
                "costs": {"latency_ms": 1.0 + place}, "rows": said,
            }  # fmt: skip
            found.append(TrialRecord(**known | changed))
    return found


@pytest.fixture
def made(planned: Planned) -> summary.Summary:
    study = planned("[3, 1]", "[3, 1, 5]")
    failed = records(study, state="failed", message=HOSTILE)[-1]
    return summary.summarise(study, [*records(study)[:-1], failed])


class Links(HTMLParser):
    """What a page would fetch, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href")]


def test_the_recall_of_rare_classes_is_beside_the_deciding_measure(
    made: summary.Summary, planned: Planned
) -> None:
    of_one = [r for r in records(planned("[3, 1]", "[3, 1, 5]")) if r.contender == "a, 0.0"]
    known = [score("rare_recall", r.rows) for r in of_one if r.rows is not None]
    assert made.lines[0].rare_recall == pytest.approx(sum(known) / len(known))
    assert f"| {100 * made.lines[0].rare_recall:.2f} |" in report.markdown(made)


def test_a_planted_effect_holds_and_none_does_not(made: summary.Summary) -> None:
    assert [judged.state for judged in made.verdicts] == ["holds", "not decided"]
    assert made.lines[3].failed == 1
    assert made.line == "tiny: 11 trials complete, 1 failed or pruned, 1 of 2 claims decided"
    assert made.numbers["claim.0.mean"] == pytest.approx(0.4, abs=0.03)
    assert made.numbers["claim.1.low"] < 0 < made.numbers["claim.1.high"]


def test_the_front_is_what_nothing_beats(made: summary.Summary) -> None:
    assert summary.front(made.lines) == {"a, 0.0", "a, 0.9", "b, 0.0"}


def test_gain_per_doubling(made: summary.Summary) -> None:
    lines = charts.by_macs(made.lines)
    expected = [b.mean - a.mean for a, b in pairwise(lines)]
    assert charts.gains(lines) == pytest.approx(expected)


def test_the_page_stands_alone_and_names_are_no_markup(
    made: summary.Summary, tmp_path: Path
) -> None:
    files = report.write(tmp_path, made)
    page, text = (file.read_text(encoding="utf-8") for file in files)
    assert [file.name for file in files] == ["tiny.html", "tiny.md"]
    found = Links()
    found.feed(page)
    assert len(found.fetched) == 4
    assert all(link.startswith("data:image/png;base64,") for link in found.fetched)
    assert "script" not in found.tags
    assert "&lt;script&gt;" in page
    assert "<script" not in text
    assert "holds here" in page
    assert "not decided with 2 seeds (needs " in text
    assert {line.count(" | ") for line in text.splitlines() if line.startswith("| a&")} <= {9}
    assert "written before the first trial" in page


def test_all_studies_are_corrected_together(
    made: summary.Summary, planned: Planned, tmp_path: Path
) -> None:
    alone = made.verdicts[0].confidence
    assert summary.judged_together([made] * 3)[0].verdicts[0].confidence > alone
    empty = summary.summarise(planned(), [])
    files = report.write_all(tmp_path, [empty] * 3)
    assert [file.name for file in files] == ["guide.html", "guide.md"]
    assert "3 studies, 0 trials, 6 claims" in files[0].read_text(encoding="utf-8")


def test_a_study_of_which_nothing_came(planned: Planned, tmp_path: Path) -> None:
    study = planned()
    for known in ([], records(study, state="failed", message="x", values={}, costs={}, rows=None)):
        empty = summary.summarise(study, known)
        assert {judged.state for judged in empty.verdicts} == {"not decided"}
        assert not re.search("<img", report.write(tmp_path, empty)[0].read_text(encoding="utf-8"))


def test_a_record_is_what_was_written(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THAWLINE_PROJECT", str(tmp_path))
    record = records(planned())[0]
    assert TrialRecord.read(record.study, record.key) is None
    record.write()
    read = TrialRecord.read(record.study, record.key)
    assert read is not None
    assert (read.values, read.state, read.overrides) == (
        record.values,
        "complete",
        record.overrides,
    )
    assert read.rows is not None
    assert record.rows is not None
    assert read.rows.as_json() == record.rows.as_json()
    (tmp_path / ".thawline/studies" / record.study / record.key / "record.json").write_text("{")
    assert TrialRecord.read(record.study, record.key) is None
