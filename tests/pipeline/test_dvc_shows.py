"""`dvc metrics`, `plots`, `exp` and `dag` give something worth reading."""

import json

import pytest

from tests.pipeline.project import CHAIN, STAGES, Project

pytestmark = [pytest.mark.slow, pytest.mark.ci]


def test_metrics(built: Project) -> None:
    shown = json.loads(built.run("dvc", "metrics", "show", "--json").stdout)[""]["data"]
    assert {f"reports/{name}/metrics.json" for name in CHAIN} <= set(shown)
    scores = shown["reports/evaluate/metrics.json"]["data"]
    assert set(scores) == {"transfer_learn", "fine_tune", "compress", "int8"}
    assert {"accuracy", "macro_f1", "ece"} <= set(scores["compress"])
    assert shown["reports/evaluate/speed.json"]["data"]["compress"]["latency_ms"] > 0


def test_plots(built: Project) -> None:
    built.run("dvc", "plots", "show", "--out", "dvc_plots")
    page = (built.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
    curves = (built.folder / "reports/fine_tune/curves.csv").read_text().splitlines()
    val_loss = curves[1].split(",")[curves[0].split(",").index("val_loss")]
    assert val_loss in page
    # There is a curve only after pruning, and a head in closed form has no epochs to plot.
    empty = ("reports/transfer_learn/curves.csv", "reports/compress/pruning.csv")
    assert {len((built.folder / name).read_text().splitlines()) for name in empty} == {1}
    titles = [
        p["title"]
        for path, p in _plots(built)
        if path.endswith(".csv") and "title" in p and path not in empty
    ]
    assert titles
    assert [title for title in titles if title not in page] == []
    pictures = {p.name for p in (built.folder / "dvc_plots/static").iterdir()}
    drawn = {p.name for p in (built.folder / "reports/evaluate/figures").iterdir()}
    assert all(any(name.endswith(figure) for name in pictures) for figure in drawn)
    assert built.run("git", "status", "--porcelain").stdout == ""


def _plots(project: Project) -> list[tuple[str, dict[str, str]]]:
    stages = project.yaml("dvc.yaml")["stages"].values()
    entries = [e for stage in stages for e in stage.get("plots", []) if isinstance(e, dict)]
    return [pair for entry in entries for pair in entry.items()]


def test_experiments(built: Project) -> None:
    (row,) = json.loads(built.run("dvc", "exp", "show", "--json").stdout)[:1]
    assert "reports/evaluate/metrics.json" in row["data"]["metrics"]
    assert row["data"]["params"]["params.yaml"]["data"]["fine_tune"]["epochs"] == 1


def test_dag(built: Project) -> None:
    drawn = built.run("dvc", "dag", "--mermaid").stdout
    assert all(f'["{name}"]' in drawn for name in STAGES)
