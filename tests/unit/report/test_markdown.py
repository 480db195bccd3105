import io
import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from thawline.errors import UserError
from thawline.evaluation.results import Results
from thawline.plots import quantities
from thawline.report import summary
from thawline.report.markdown import ClassScore, Mistake, ReportFigure, render
from thawline.runtime import escape

QUALITY = {
    "num_images": 360, "accuracy": 0.975, "accuracy_low": 0.958, "accuracy_high": 0.989,
    "balanced_accuracy": 0.974, "macro_f1": 0.973, "rare_recall": 0.951, "nll": 0.09, "ece": 0.012,
    "parameters": 3_383_818, "macs": 31_352_192, "size_mb": 13.48,
}  # fmt: skip
SPEED = {
    "latency_ms": 1.23, "latency_p95_ms": 1.6, "throughput_per_s": 890.0, "batch_size": 32,
    "repeats": 100, "peak_memory_mb": 126.6, "runtime_memory_mb": 49.7,
}  # fmt: skip
DEVICE = {
    "name": "Some CPU, 2 cores", "instructions": "AVX2", "threads": 2, "torch": "2",
    "onnxruntime": "1", "fingerprint": "0123456789ab",
}  # fmt: skip


@pytest.fixture
def results() -> Results:
    return Results(
        {"fine_tune": QUALITY, "compress": QUALITY},
        {"device": DEVICE, "fine_tune": {**SPEED, "latency_ms": 11.0}, "compress": SPEED},
    )


def report(results: Results, **changed: Any) -> str:
    given: dict[str, Any] = {
        "classes": [ClassScore(name="0", precision=1, recall=1, f1=1, support=36)],
        "pictures": [ReportFigure(title="Training", path=PurePosixPath("figures/curves.png"))],
        "decisions": {"fine_tune": "the last 3 blocks and the head, as params.yaml says"},
        "mistakes": [],
        "budget": {"min_accuracy": None, "max_latency_ms": None, "max_size_mb": None},
        "bootstrap_samples": 2000,
        "calibration_bins": 15,
    }
    return render(results, **{**given, **changed})


def test_the_verdict_comes_first_and_names_what_ships(results: Results) -> None:
    verdict = report(results).splitlines()[2]
    for part in ("compress", "97.5 %", "95.8 to 98.9 %", "1.23 ms", "13.5 MB", "360"):
        assert part in verdict


FEW = {"num_images": 37, "accuracy": 32 / 37, "accuracy_low": 0.73, "accuracy_high": 0.946}


def few(results: Results) -> Results:
    rows = {name: {**row, **FEW} for name, row in results.metrics.items()}
    return Results(rows, results.speed)


def test_with_few_test_images_how_wide_comes_before_how_much(results: Results) -> None:
    verdict = report(few(results)).splitlines()[2]
    assert verdict.startswith(
        "**37 test images: the 95 % interval is 22 points wide; compress has an accuracy of "
        "86.5 % on them (73.0 to 94.6 %), a latency of"
    )


def test_the_table_of_few_test_images_says_it_first(tmp_path: Path, results: Results) -> None:
    out = io.StringIO()
    summary.show(written(tmp_path, few(results)), out)
    assert out.getvalue().startswith(
        "37 test images: the 95 % interval is 22 points wide; accuracy 86.5 % (73.0 to 94.6 %).\n"
    )
    summary.show(written(tmp_path, results), out := io.StringIO())
    assert out.getvalue().startswith("checkpoint"), "of 360 images it says nothing of the kind"


def test_the_table_names_a_training_that_was_thrown_away(tmp_path: Path, results: Results) -> None:
    folder = tmp_path / "evaluate"
    folder.mkdir()
    tuned = tmp_path / "fine_tune"
    tuned.mkdir()
    (tuned / "curves.csv").write_text("epoch,val_macro_f1\n1,0.2\n")
    metrics = {"best_epoch": 0, "val_loss": 0.7, "val_accuracy": 0.778, "val_macro_f1": 0.76}
    (tuned / "metrics.json").write_text(json.dumps(metrics))
    out = io.StringIO()
    summary.show(written(folder, results), out)
    assert "fine_tune kept the weights that it began with: their validation macro-F1 is 0.760" in (
        out.getvalue()
    )


def test_each_checkpoint_has_a_row_and_the_device_a_name(results: Results) -> None:
    text = report(results)
    assert "| fine_tune | 97.5 % |" in text
    assert "| compress | 97.5 % |" in text
    assert "Some CPU, 2 cores" in text
    assert "![Training](<figures/curves.png>)" in text


def test_decisions_have_their_reasons(results: Results) -> None:
    assert "## Decisions\n\n- fine_tune: the last 3 blocks and the head, as" in report(results)


@pytest.mark.parametrize(
    ("budget", "line"),
    [
        ({"max_latency_ms": 1.0}, "Over budget: `budget.max_latency_ms` 1.00 ms (is 1.23 ms)."),
        ({"min_accuracy": 0.97}, "Within budget: `budget.min_accuracy` 97.0 % (is 97.5 %)."),
        ({"min_accuracy": 0.97, "max_size_mb": 13.0}, "Over budget: `budget.max_size_mb`"),
    ],
)
def test_the_budget_is_judged(results: Results, budget: dict[str, float], line: str) -> None:
    assert line in report(results, budget=budget)


def test_names_of_strangers_stay_text(results: Results) -> None:
    hostile = "<script>alert(1)</script>|`x`\n# [a](http://b) www.c.de \u202e*_~$![](d)"
    text = report(
        results,
        classes=[ClassScore(name=hostile, precision=0, recall=0, f1=0, support=1)],
        mistakes=[
            Mistake(image=f"/home/u/{hostile}", actual=hostile, predicted="b", confidence=0.9)
        ],
    )
    for raw in ("<script", "`x`", "](http", "http:", "www.c", "\u202e", "*_", "/home", "![](d"):
        assert raw not in text
    for line in text.splitlines():
        if "alert" in line:
            assert line.count("|") in (5, 6)


def test_a_report_without_measurements_shows_gaps(results: Results) -> None:
    text = report(Results(results.metrics, {}))
    assert "a latency of - per image and" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\tb", r"a\tb"), ("a\u2028b", r"a\u2028b"), ("é\u0301", "é\u0301"), ("\ud800", r"\ud800")],
)
def test_invisible_characters_are_written_out(name: str, shown: str) -> None:
    assert escape.visible(name) == shown


def test_long_names_keep_both_ends() -> None:
    shown = escape.visible("start" + "x" * 300 + "end", 20)
    assert len(shown) == 20
    assert shown.startswith("start")
    assert shown.endswith("end")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1_814_073_344, "1.81 G"), (640, "640"), (31_352_192, "31.4 M"), (None, "-")],
)
def test_counts_have_prefixes(value: float | None, text: str) -> None:
    assert quantities.count(value) == text


def written(folder: Path, results: Results) -> Path:
    (folder / "metrics.json").write_text(json.dumps(results.metrics))
    (folder / "speed.json").write_text(json.dumps(results.speed))
    return folder


def test_the_summary_is_plain_and_aligned_outside_a_terminal(
    results: Results, tmp_path: Path
) -> None:
    out = io.StringIO()
    summary.show(written(tmp_path, results), out)
    lines = out.getvalue().splitlines()
    assert out.getvalue().isascii()
    assert lines[2].split() == [
        "compress",
        *["97.5", "%", "95.8", "to", "98.9", "%", "0.973", "0.951", "1.23", "ms", "13.5", "MB"],
    ]
    assert "thawline publish" in lines[-1]
    assert "make ui" in lines[-1]


def test_what_ran_on_a_gpu_is_not_said_of_the_cpu(results: Results, tmp_path: Path) -> None:
    assert results.on_gpu == {}
    assert "Not on this device" not in report(results)
    on_gpu = {**results.speed["fine_tune"], "gpu": "Some GPU"}
    mixed = Results(results.metrics, {**results.speed, "fine_tune": on_gpu})
    assert mixed.on_gpu == {"fine_tune": "Some GPU"}
    assert "Not on this device: `fine_tune` on Some GPU." in report(mixed)
    out = io.StringIO()
    summary.show(written(tmp_path, mixed), out)
    assert "Timed on Some CPU, 2 cores, 2 threads; fine_tune on Some GPU." in out.getvalue()


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"a": 1}', "{}", "\x00"])
def test_results_that_are_no_results_are_refused(content: str | None, tmp_path: Path) -> None:
    (tmp_path / "speed.json").write_text("{}")
    if content is not None:
        (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(UserError, match=r"metrics\.json: .*dvc repro"):
        Results.read(tmp_path)


def test_int8_is_shown_beside_what_ships_and_does_not_ship(results: Results) -> None:
    small = {**QUALITY, "size_mb": 3.79}
    speed = {**results.speed, "int8": {**SPEED, "latency_ms": 0.82}}
    text = report(Results({**results.metrics, "int8": small}, speed))
    assert text.splitlines()[2].startswith("**compress has an accuracy of")
    assert "| int8 | 97.5 % |" in text
    assert "0.28 of its size and on this device 1.50 times as fast as the float file" in text
    slower = report(Results({**results.metrics, "int8": small}, {**speed, "int8": SPEED}))
    assert "on this device no faster than the float file: 1.23 ms against 1.23 ms" in slower
