"""The HTML page and the model card."""

import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from tests.unit.report.test_markdown import DEVICE, QUALITY, SPEED
from thawline.dataset.manifest import Manifest
from thawline.evaluation.label_issues import LabelIssue
from thawline.evaluation.results import Results
from thawline.evaluation.robustness import Robustness
from thawline.evaluation.slices import Slice
from thawline.models.checkpoint import ModelConfig
from thawline.report import data_uris, model_card, page
from thawline.report.markdown import ClassScore, Mistake, ReportFigure

HOSTILE = "<script>alert(1)</script>\"' onload=x {{ 7*7 }} \u202e\n|"
VOID = {"meta", "img", "br", "hr", "link"}


class Reader(HTMLParser):
    """Tags, attributes and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def content(folder: Path, name: str = "a", **changed: Any) -> page.PageContent:
    Image.new("RGB", (40, 30), "red").save(folder / "curves.png")
    classes = (name, "b")
    given: dict[str, Any] = {
        "folder": folder,
        "results": Results({"compress": QUALITY}, {"device": DEVICE, "compress": SPEED}),
        "card": ModelConfig(
            family="resnet", name="resnet18", dropout=0, classes=classes, image_size_px=32,
            fit="letterbox", background=(0, 0, 0), mean=(0, 0, 0), std=(1, 1, 1),
        ),
        "manifest": Manifest(
            classes=classes, labels=np.array([0, 1, 0]), splits=np.array(["train", "test", "val"]),
            sha256=("", "", ""), names=(f"x/{name}", "b", "c"), groups=(None,) * 3,
            widths=np.array([8, 9, 8]), heights=np.array([8, 8, 8]),
        ),
        "decisions": {"fine_tune": "all of it"},
        "classes": [ClassScore(name=name, precision=1, recall=0.5, f1=0.7, support=36)],
        "pictures": [ReportFigure(title="Training", path=PurePosixPath("curves.png"))],
        "mistakes": [Mistake(image=name, actual=name, predicted="b", confidence=0.9)],
        "slices": [
            Slice(column="camera", value=name, num_images=20, accuracy=0.5, low=0.3, high=0.7,
                  p_value=0.001, worse=True)
        ],
        "robustness": [Robustness(corruption="noise", severity=1, accuracy=0.8)],
        "issues": [LabelIssue(row=0, label=0, proposed=1, confidence=0.9)],
        "advice": [("augment.policy", "none", "light", f"only what can occur: {name}")],
        "budget": {"min_accuracy": None, "max_latency_ms": None, "max_size_mb": None},
        "bootstrap_samples": 2000,
        "calibration_bins": 15,
    }  # fmt: skip
    return page.PageContent(**{**given, **changed})


def test_the_page_is_whole_and_needs_nothing(tmp_path: Path) -> None:
    text = page.render(content(tmp_path))
    reader = Reader(text)
    assert reader.open == []
    assert not reader.tags & {"script", "link", "iframe", "object", "form"}
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", text)
    assert "http://" not in text
    assert "https://" not in text
    assert text == page.render(content(tmp_path))


def test_the_verdict_comes_before_everything_else(tmp_path: Path) -> None:
    text = page.render(content(tmp_path))
    body = text[text.index("<main>") :]
    order = ["97.5 % on 360", "No budget is set", 'id="data"', 'id="training"', 'id="errors"',
             "credibly", 'id="cost"', "augment.policy"]  # fmt: skip
    assert [body.index(word) for word in order] == sorted(body.index(word) for word in order)
    assert "noise" in body
    assert ", worse" in body


def test_with_few_test_images_how_wide_stands_before_how_much(tmp_path: Path) -> None:
    few = QUALITY | {"num_images": 37, "accuracy_low": 0.77, "accuracy_high": 0.99}
    found = Results({"compress": few}, {"device": DEVICE, "compress": SPEED})
    body = page.render(content(tmp_path, results=found)).partition("<main>")[2]
    assert body.index("37 test images: the 95 % interval is 22 points wide") < body.index("97.5 %")
    assert "22 points wide: 77.0 to 99.0 %" in body
    assert "points wide" not in page.render(content(tmp_path))


def test_batch_sizes_have_a_table_where_they_were_measured(tmp_path: Path) -> None:
    timed = {**SPEED, "runtime": "ONNX Runtime", "throughput_by_batch": {"8": 700.0, "32": 890.0}}
    found = Results({"compress": QUALITY}, {"device": DEVICE, "compress": timed})
    text = page.render(content(tmp_path, results=found))
    assert text.index("batch 8<") < text.index("batch 32<") < text.index("700/s")
    assert "batch" not in page.render(content(tmp_path)).split('id="cost"')[1].split("method")[0]


def test_a_missed_budget_is_seen(tmp_path: Path) -> None:
    text = page.render(content(tmp_path, budget={"max_latency_ms": 1.0}))
    assert 'class="budget over"' in text
    assert "budget.max_latency_ms 1.00 ms (is 1.23 ms)" in text


def test_names_of_strangers_stay_text(tmp_path: Path) -> None:
    text = page.render(content(tmp_path, name=HOSTILE))
    reader = Reader(text)
    assert "script" not in reader.tags
    assert "onload" not in reader.attributes
    assert "\u202e" not in text
    assert "{{ 7*7 }}" in text
    assert r"\u202e\n|" in text


def test_a_page_with_nothing_to_tell(tmp_path: Path) -> None:
    empty = content(
        tmp_path, pictures=[], mistakes=[], slices=[], robustness=[], issues=[],
        results=Results({"compress": QUALITY}, {}),
    )  # fmt: skip
    text = page.render(empty)
    assert Reader(text).open == []
    assert "None: every test image is right." in text
    assert "Under corruption" not in text


def test_pictures_that_are_too_large_together_are_made_smaller(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    Image.new("RGB", (20, 10)).save(tmp_path / "small.png")
    given = {name: tmp_path / f"{name}.png" for name in ("large", "small")}
    found = data_uris.data_uris(given, max_bytes=60_000)
    assert sum(map(len, found.values())) < 60_100
    assert found["small"].startswith("data:image/png;base64,")
    kind, _, text = found["large"].partition(";base64,")
    assert kind == "data:image/webp"
    with Image.open(BytesIO(base64.b64decode(text))) as image:
        assert image.size[0] == image.size[1] < 300


def card(given: page.PageContent) -> str:
    return model_card.render(
        given.results, card=given.card, manifest=given.manifest, decisions=given.decisions,
        classes=given.classes, slices=given.slices,
    )  # fmt: skip


def test_the_card_begins_with_metadata_that_registries_read(tmp_path: Path) -> None:
    _, head, text = card(content(tmp_path)).split("---\n", 2)
    metadata = YAML(typ="safe").load(head)
    assert metadata["pipeline_tag"] == "image-classification"
    assert metadata["model-index"][0]["results"][0]["metrics"][0]["value"] == 0.975
    for section in ("Model details", "Uses", "Training data", "Evaluation", "limitations"):
        assert section in text


@pytest.mark.parametrize("part", ["<script", "\u202e", "{{", "http:"])
def test_the_card_escapes_names_and_holds_nothing_timed(tmp_path: Path, part: str) -> None:
    text = card(content(tmp_path, name=HOSTILE))
    assert part not in text
    assert "ms" not in re.findall(r"\b\w+\b", text)


def test_all_three_are_written(tmp_path: Path) -> None:
    page.write(content(tmp_path))
    for name in ("report.html", "report.md", "model_card.md"):
        assert (tmp_path / name).stat().st_size > 1000
