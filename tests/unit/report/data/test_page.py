"""The data report: what it says, that it is bounded, escaped, and the same each time."""

import csv
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import colours
from thawline.dataset.image_store import ImageStore, StoreWriter
from thawline.dataset.manifest import Manifest
from thawline.errors import UserError
from thawline.ingest.accounting import Account
from thawline.ingest.decoding.image_stats import Looks
from thawline.ingest.dedup.label_conflicts import Conflict
from thawline.ingest.dedup.linking import NearCopy
from thawline.ingest.findings import Findings
from thawline.report.data import outliers, page
from thawline.report.data.contents import Contents

HOSTILE = "a|b\n<img src=x>\u202e[x](http://y) `#`\x1b[31m"


def contents(folder: Path, number: int = 60, num_classes: int = 3) -> Contents:
    rng = np.random.default_rng(0)
    with StoreWriter(folder, 24) as writer:
        for _ in range(number):
            writer.append(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    manifest = Manifest(
        classes=(HOSTILE, *(f"class {k}" for k in range(1, num_classes))),
        labels=np.arange(number) % num_classes,
        splits=np.array(["train", "train", "val", "test"] * number)[:number],
        sha256=tuple(f"{k:064x}" for k in range(number)),
        names=tuple(f"{HOSTILE} {k}" for k in range(number)),
        groups=(None,) * number,
        widths=np.r_[rng.integers(50, 400, number - 1), 5000 if number > 9 else 60],
        heights=np.r_[rng.integers(50, 400, number - 1), 60],
    )
    looks = [Looks(k, *rng.normal((120, 50, 900), (5, 3, 50)).tolist()) for k in range(number)]
    looks[number // 8] = Looks(7, 2.0, 0.5, 1.0)
    return Contents(
        manifest=manifest,
        store=ImageStore(folder),
        looks=looks,
        links=[NearCopy(5, 2, 3), NearCopy(8, 2, 0)],
        conflicts=[
            Conflict(row=4, image="x", label=0, other_row=None, other_image="y", other_label=1)
        ],
        left_out=frozenset({4}),
        quarantine=[
            ("a", "empty file"),
            ("b", "empty file"),
            ("c", "duplicate of q"),
            ("d", "duplicate of r"),
            ("e", "row 12: link to outside of the source"),
            ("f", "row 13: link to outside of the source"),
        ],
        notes=["a PNG file named .jpg" if k < 3 else None for k in range(number)],
        decided=colours.decided(24, "letterbox"),
        blanks={"white": [1], "one colour": list(range(2, number))},
        num_transparent=1234,
        # As ingest counts them.
        account=Account(
            images=6, copies=0, set_aside=Counter({"empty file": 2}), passed_over=Counter(hidden=3)
        ),
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    page.write(folder / "out", contents(folder / "store"))
    contents(folder / "store").write_tables(folder / "out", contents(folder / "store").manifest)
    return folder / "out"


def test_every_picture_is_there_and_named(made: Path) -> None:
    named = set(re.findall(r"\(<([^>]+)>\)", (made / "report.md").read_text(encoding="utf-8")))
    assert named == {name for name in files(made) if name.endswith(".png")}
    assert {"pictures/classes.png", "pictures/near.png", "pictures/conflicts.png"} <= named
    for name in named:
        with Image.open(made / name) as image:
            image.load()


def test_it_says_what_was_found(made: Path) -> None:
    text = (made / "report.md").read_text(encoding="utf-8")
    assert "60 different images in 3 classes" in text
    assert "### Dark: 1" in text
    assert "### Blurred: little detail: 1" in text
    assert "narrower than 1 to 10: 1" in text
    assert "With transparency: 1,234, laid over [0, 0, 0]" in text
    assert "### White: 1" in text
    assert "### One colour: 58" in text
    assert "| `image_size_px` | 24 | params.yaml |" in text
    assert "further up in the source: 2," in text
    assert "| empty file | 2 | a, b |" in text
    assert "| a PNG file named &#46;jpg | 3 |" in text
    assert "| duplicate | 2 | c, d |" in text
    assert "| link to outside of the source | 2 | e, f |" in text


def test_names_are_no_markup(made: Path) -> None:
    text = (made / "report.md").read_text(encoding="utf-8")
    assert "<img" not in text
    assert "http://" not in text
    assert all(c.isprintable() or c == "\n" for c in text)
    assert {line.count("|") for line in text.splitlines() if line.startswith("| &#91;")} <= {7}
    assert not [n for n in files(made) if not re.fullmatch(r"[\w./-]+", n)]


def test_the_tables_hold_every_copy(made: Path) -> None:
    with (made / "near_duplicates.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["bits"], line["split"]) for line in lines] == [("3", "train"), ("0", "train")]
    with (made / "conflicts.csv").open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["image"], line["other_image"], line["outcome"]) == ("x", "y", "left out")
    assert line["label"].isprintable()


def test_equal_sets_give_equal_bytes(made: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "pictures").mkdir(parents=True)
    (tmp_path / "out" / "pictures" / "class-99999.png").write_bytes(b"of an earlier run")
    given = contents(tmp_path / "store")
    given.write(tmp_path / "findings")
    given.write_tables(tmp_path / "out", given.manifest)
    found = vars(Findings.read(tmp_path / "findings"))
    known = {"manifest": given.manifest, "store": given.store, "decided": given.decided}
    page.write(tmp_path / "out", Contents(**known, **found))
    assert files(tmp_path / "out") == files(made)


def test_findings_without_a_search_for_copies(tmp_path: Path) -> None:
    given = replace(contents(tmp_path / "store"), links=None, depth="few bits", remarks=("\ud800",))
    given.write(tmp_path / "findings")
    found = Findings.read(tmp_path / "findings")
    assert (found.links, found.depth, found.remarks) == (None, "few bits", ["\ud800"])
    assert found.account == given.account
    (tmp_path / "findings/findings.json").write_text("{}")
    with pytest.raises(UserError, match=r"findings\.json: damaged"):
        Findings.read(tmp_path / "findings")


@pytest.mark.slow
@pytest.mark.ci
def test_two_thousand_classes_are_bounded(tmp_path: Path) -> None:
    page.write(tmp_path / "out", contents(tmp_path / "store", 4000, 2000))
    written = files(tmp_path / "out")
    assert len([n for n in written if "class-" in n]) == page.MAX_SHEETS
    assert len(written["report.md"]) < 100_000
    assert sum(map(len, written.values())) < 8 * 2**20


def test_a_clean_set(tmp_path: Path) -> None:
    clean = replace(
        contents(tmp_path / "store", 6, 2), links=None, conflicts=[], quarantine=[],
        looks=[Looks(None, 10.0, 0.0, 0.0)] * 6, notes=[None] * 6, blanks={}, num_transparent=0,
        account=Account(images=6, copies=0, set_aside={}, passed_over={}),
    )  # fmt: skip
    page.write(tmp_path / "out", clean)
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "Not looked for" in text
    assert "### Dark: 0" in text
    assert "narrower than 1 to 10: 0" in text
    assert "Nothing." in text


def test_outliers_are_the_oddest_first() -> None:
    values = [100 + k % 7 for k in range(50)] + [180, 250, 3]
    square = np.full(len(values), 9)
    found = outliers.find([Looks(None, value, 5, 5) for value in values], square, square)
    assert {o.title: o.rows.tolist() for o in found if len(o.rows)} == {
        "Dark": [52],
        "Bright": [51, 50],
    }
    assert outliers.find([], square[:0], square[:0])[0].rows.tolist() == []
