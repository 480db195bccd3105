"""Every file of a folder is accounted for, whatever laid it there, from DVC to the report."""

import csv
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.pipeline.project import Project, make

pytestmark = pytest.mark.slow
INKS = {"ant": (250, 9, 9), "bee": (9, 250, 9), "cat": (9, 9, 250)}


def _draw(file: Path, seed: int, kind: str = "PNG") -> None:
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 200, (40, 40, 3), dtype=np.uint8))
    ink = INKS[file.parent.name]
    ImageDraw.Draw(image).rectangle((5, 5, 25, 25), fill=ink)
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, kind)


def _fill(folder: Path) -> None:
    """60 images in three classes, 12 of them under other names, and what is none."""
    for number, name in enumerate(INKS):
        for index in range(16):
            _draw(folder / name / f"{index}.png", 100 * number + index)
    for index in range(6):
        _draw(folder / "ant" / f"saved{index}.jfif", 500 + index, "JPEG")
        _draw(folder / "bee" / f"{index}", 600 + index)
    (folder / "ant/a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    (folder / "bee/b.jpg").write_text("version https://git-lfs.github.com/spec/v1\n")
    for index in range(10):
        thumbnail = folder / "ant/@eaDir" / f"{index}.png" / "SYNOPHOTO_THUMB_M.jpg"
        thumbnail.parent.mkdir(parents=True)
        shutil.copy(folder / "ant" / f"{index}.png", thumbnail)
    (folder / "labels.txt").write_text("ant bee cat")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The images are in DVC, whose cache is linked."""
    made = make(tmp_path_factory.mktemp("every file") / "a project")
    _fill(made.folder / "data/insects")
    made.set_params({"ingest.source": "folder", "ingest.options": {}})
    made.set(ingest__path="data/insects")
    made.run("dvc", "config", "cache.type", "symlink")
    made.run("dvc", "add", "data/insects")
    made.first = made.run("dvc", "repro", "pictures")
    yield made
    made.end()


def _copied(project: Project, folder: Path) -> Project:
    """A copy whose images are no links into the cache of the other."""
    copy = project.copy(folder)
    for link in (copy.folder / "data/insects").rglob("*"):
        if link.is_symlink():
            content = link.read_bytes()
            link.unlink()
            link.write_bytes(content)
    return copy


def test_what_dvc_linked_is_read_and_every_file_is_counted(project: Project) -> None:
    assert (project.folder / "data/insects/ant/0.png").is_symlink()
    assert project.first is not None
    lines = [line for line in project.first.stderr.splitlines() if line.startswith("ingest: ")]
    assert "ingest: 73 files: 60 images + 2 set aside + 11 passed over" in lines
    assert (
        "ingest: passed over: 10 x left by a system or a NAS; 1 x no image, .txt" in lines
    )  # fmt: skip
    metrics = project.yaml("reports/ingest/metrics.json")
    assert (metrics["images"], metrics["classes"], metrics["quarantined"]) == (60, 3, 2)
    assert (metrics["files_seen"], metrics["ignored_files"]) == (73, 11)
    assert metrics["set_aside"] == {
        "a Git LFS pointer; run `git lfs pull`": 1, "a HEIC file, which is not read": 1,
    }  # fmt: skip
    report = (project.folder / "reports/ingest/report.md").read_text(encoding="utf-8")
    assert "73 files: 60 images + 2 set aside + 11 passed over." in report
    assert "| left by a system or a NAS | 10 |" in report
    with (project.folder / "data/ingest/quarantine.csv").open(encoding="utf-8") as file:
        assert {row["name"] for row in csv.DictReader(file)} == {"ant/a.heic", "bee/b.jpg"}
    (run,) = [r for r in project.runs("stage") if "files_seen" in r.data.metrics]
    assert run.data.metrics["passed_over_left_by_a_system_or_a_nas"] == 10


def test_the_account_is_there_where_every_file_was_taken(project: Project, tmp_path: Path) -> None:
    copy = _copied(project, tmp_path / "copy")
    for name in ("ant/a.heic", "bee/b.jpg", "labels.txt"):
        (copy.folder / "data/insects" / name).unlink()
    shutil.rmtree(copy.folder / "data/insects/ant/@eaDir")
    done = copy.run("python", "-m", "stages.ingest")
    assert "ingest: 60 files: 60 images" in done.stderr.splitlines()
    copy.run("python", "-m", "stages.pictures")
    report = (copy.folder / "reports/ingest/report.md").read_text(encoding="utf-8")
    assert "\n60 files: 60 images.\n" in report
    metrics = copy.yaml("reports/ingest/metrics.json")
    assert (metrics["files_seen"], metrics["images"], metrics["ignored_files"]) == (60, 60, 0)


def test_an_image_that_comes_while_ingest_reads_is_no_part_of_a_result(
    project: Project, tmp_path: Path
) -> None:
    copy = _copied(project, tmp_path / "copy")
    program = """
        import shutil
        from pathlib import Path
        from stages import ingest
        from thawline.pipeline import stage_main
        from thawline.ingest.findings import Findings

        write = Findings.write

        def late(*given):
            write(*given)
            shutil.copy("data/insects/ant/0.png", "data/insects/ant/late.png")

        Findings.write = late
        stage_main.run("ingest", ingest.main)
    """
    done = copy.run("python", "-c", textwrap.dedent(program), code=2)
    assert done.stderr.splitlines()[-1] == (
        "ingest: ingest.path: 'data/insects' changed while it was read: 'ant/late.png' is new or "
        "was written to; run it again"
    )


def test_a_link_to_nothing_is_named_before_dvc_starts(project: Project, tmp_path: Path) -> None:
    copy = _copied(project, tmp_path / "copy")
    (copy.folder / "data/insects/ant/gone.png").symlink_to("nothing")
    for command in (("thawline", "run"), ("thawline", "check")):
        done = copy.run(*command, code=2)
        assert "ingest.path: DVC, which reads all of 'data/insects' first" in done.stderr
        assert "'ant/gone.png': a link to nothing" in done.stderr
        assert "Running stage" not in done.stdout


def test_a_class_folder_that_is_a_link_is_told(project: Project, tmp_path: Path) -> None:
    copy = _copied(project, tmp_path / "copy")
    shutil.move(copy.folder / "data/insects/cat", tmp_path / "elsewhere")
    (copy.folder / "data/insects/cat").symlink_to(tmp_path / "elsewhere")
    said = "DVC does not see links to folders in 'data/insects' (1, first 'cat')"
    assert said in copy.run("thawline", "check").stderr
    done = copy.run("python", "-m", "stages.ingest")
    assert said in done.stderr
    assert "1 x a link to a folder; not followed" in done.stderr
    assert copy.yaml("reports/ingest/metrics.json")["classes"] == 2
