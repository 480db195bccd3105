"""A challenger before a champion, in a real MLflow store: who serves afterwards, and why."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests import colours
from tests.tracking.registered import Registered
from thawline.errors import UserError
from thawline.evaluation import gate_line
from thawline.registry import promotions, versions
from thawline.registry.publish import Published, publish

# MLflow warns of its own type hints when it is first imported.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
REPOSITORY = Path(__file__).resolve().parents[2]
SPLITS = ["train"] * 120 + ["val"] * 30 + ["test"] * 400
WORSE = (0.7, 0, 0)
"""A bias towards red: some twenty of a hundred images are taken for it."""


class Workspace(Registered):
    """A project's folder with data, a model and what was measured of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images(SPLITS)
        self.measured(latency_ms=1.0)

    def images(self, splits: list[str], **how: Any) -> None:
        colours.write_images(self.folder / "data/ingest", splits, **how)

    def measured(self, latency_ms: float) -> None:
        reports = self.folder / "reports/evaluate"
        reports.mkdir(parents=True, exist_ok=True)
        (reports / "metrics.json").write_text(json.dumps({"compress": {"accuracy": 0.9}}))
        (reports / "speed.json").write_text(json.dumps({"compress": {"latency_ms": latency_ms}}))

    def set(self, section: str, **values: Any) -> None:
        yaml, path = YAML(), self.folder / "params.yaml"
        content = yaml.load(path.read_text(encoding="utf-8"))
        content[section].update(values)
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(content, file)

    def publish(self, **model: Any) -> Published:
        colours.write(self.folder / "models/compress", **({"size_px": 16} | model))
        done = publish()
        assert done is not None
        return done

    def moves(self) -> list[tuple[str, str, str]]:
        found = self.client.get_experiment_by_name("thawline-promotions")
        runs = self.client.search_runs([found.experiment_id], order_by=["start_time ASC"])
        tags = [run.data.tags for run in runs]
        return [(tag["from"], tag["to"], tag["by"]) for tag in tags]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for variable in ("DVC_ROOT", "THAWLINE_PROJECT", "MLFLOW_TRACKING_URI", "THAWLINE_TRACKING"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    made = Workspace(tmp_path)
    made.set("ingest", image_size_px=16, fit="stretch")
    return made


def test_a_better_one_wins_a_worse_and_a_slow_one_do_not(workspace: Workspace) -> None:
    first = workspace.publish(bias=WORSE)
    assert (first.version, first.champion) == ("1", True)
    assert first.verdict.reasons == ("the first one within the budget",)

    better = workspace.publish()
    assert (better.version, better.verdict.outcome) == ("2", "passed")
    assert workspace.aliases() == {"champion": "2", "previous": "1", "challenger": "2"}

    worse = workspace.publish(bias=(0, 0.7, 0))
    assert (worse.verdict.outcome, worse.champion) == ("failed", False)
    assert worse.verdict.reasons[0].startswith("gate.max_drop: 0.02; accuracy may be 0.")
    assert "of 'blue' it recalls" in " ".join(worse.verdict.reasons)
    assert workspace.aliases()["champion"] == "2"
    assert workspace.tags("3")["thawline.gate"] == "failed"
    assert "gate.max_drop" in workspace.tags("3")["thawline.gate.reason"]

    workspace.set("budget", max_latency_ms=10.0)
    workspace.measured(latency_ms=50.0)
    slow = workspace.publish(scale=1 / 30)
    assert slow.verdict.reasons == ("budget.max_latency_ms: 10, compress.latency_ms is 50",)
    assert workspace.aliases()["champion"] == "2"
    assert workspace.moves() == [("none", "1", "gate"), ("1", "2", "gate")]


def test_twice_decides_once_and_each_look_counts(workspace: Workspace) -> None:
    workspace.publish()
    first = workspace.publish(bias=WORSE)
    again = workspace.publish(bias=WORSE)
    assert (first.new, again.new) == (True, False)
    assert again.verdict.outcome == "failed"
    assert again.verdict.reasons == first.verdict.reasons
    assert again.verdict.comparison is None
    assert workspace.publish(bias=(0, 0, 1)).verdict.looks == 2
    assert workspace.publish().verdict.outcome == "champion"
    workspace.set("gate", max_drop=1.0, max_recall_drop=1.0)
    other = workspace.publish(bias=WORSE)
    assert (other.verdict.outcome, other.verdict.looks) == ("passed", 3)


def test_rows_that_the_champion_learned_from_do_not_count(workspace: Workspace) -> None:
    workspace.publish()
    workspace.images(["test"] * 150 + ["train"] * 400)  # what was trained on is the test set now
    found = workspace.publish(scale=1 / 30).verdict
    assert found.outcome == "undecided"
    assert "gate.min_rows: 200; there are 0 test rows" in found.reasons[0]
    assert workspace.aliases()["champion"] == "1"
    workspace.images(SPLITS[::-1])
    found = workspace.publish(scale=1 / 30).verdict
    assert found.comparison is not None
    assert found.comparison.num_rows == 250
    assert "test set that has changed since" in found.reasons[-1]


def test_other_classes_are_not_compared_another_order_is(workspace: Workspace) -> None:
    workspace.publish()
    refused = workspace.publish(classes=("red", "green", "violet")).verdict
    assert refused.outcome == "refused"
    assert "gone: blue; new: violet" in refused.reasons[0]
    assert workspace.aliases()["champion"] == "1"


def test_hands_move_the_alias_and_the_gate_respects_it(workspace: Workspace) -> None:
    workspace.publish(bias=WORSE)
    with pytest.raises(UserError, match="no champion before this one"):
        promotions.rollback("")
    workspace.publish()
    assert promotions.rollback("it was slow at night").version == "1"
    assert workspace.aliases() == {"champion": "1", "previous": "2", "challenger": "2"}
    aside = workspace.publish().verdict
    assert aside.outcome == "set aside"
    assert "it was slow at night" in aside.reasons[0]
    with pytest.raises(UserError, match="is the champion already"):
        promotions.promote("1", "")
    with pytest.raises(UserError, match=r"'7' is not a version of 'thawline'; there are: 1, 2"):
        promotions.promote("7", "")
    moved = promotions.promote("2", "mended")
    assert (moved.version, moved.before) == ("2", "1")
    assert workspace.publish().verdict.outcome == "champion"
    assert [(a, b) for a, b, _ in workspace.moves()] == [
        ("none", "1"), ("1", "2"), ("2", "1"), ("1", "2"),
    ]  # fmt: skip


def test_a_version_is_fetched_with_its_files(workspace: Workspace) -> None:
    workspace.publish()
    for named in ("champion", "1"):
        folder = versions.fetch(named)
        stored = {p.name for p in folder.iterdir()}
        assert stored == {"model.onnx", "model.json", "seen.npz", "tested.npz", "restore"}
        assert (folder / "model.onnx").read_bytes() == Path(
            "models/compress/model.onnx"
        ).read_bytes()
    with pytest.raises(UserError, match=r"aliases: challenger \(1\), champion \(1\)"):
        versions.fetch("previous")


def test_the_card_goes_with_the_version_and_the_report_says_who_is_better(
    workspace: Workspace,
) -> None:
    reports = workspace.folder / "reports/evaluate"
    card = "# a card\n\n## Uses\n\n" + "word " * 2000
    (reports / "model_card.md").write_text(f"---\ntags: [a]\n---\n{card}")
    (reports / "report.html").write_text(f"<h1>good</h1>{gate_line.HTML}<p>more")
    before = (reports / "report.html").read_bytes()
    workspace.publish()
    version = workspace.client.get_model_version("thawline", "1")
    assert version.description.startswith("# a card")
    assert len(version.description) <= 5000
    stored = versions.fetch("1") / "model_card.md"
    assert stored.read_text().endswith(card)

    published = workspace.folder / "reports/publish/report.html"
    assert "version 1 is the champion now" in published.read_text()
    workspace.publish(bias=WORSE)
    said = published.read_text()
    assert said.startswith("<h1>good</h1>")
    assert "version 2 does not replace the champion" in said
    assert "credibly worse" in said
    assert "looked at this test set 1 time." in said
    workspace.publish(bias=WORSE)
    assert published.read_text() == said
    assert (reports / "report.html").read_bytes() == before


def test_nothing_is_published_without_data(workspace: Workspace) -> None:
    (workspace.folder / "data/ingest/manifest.parquet").unlink()
    with pytest.raises(UserError, match=r"data/ingest/manifest\.parquet: not there"):
        workspace.publish()
