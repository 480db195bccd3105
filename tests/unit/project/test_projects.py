"""What a project of one's own is made of; tests/pipeline has one on an installed wheel."""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from thawline.dvc import code, commands
from thawline.errors import UserError
from thawline.project import create, generated, upgrade


def test_the_wheel_has_every_file_that_a_project_begins_with(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    placed = tomllib.loads(text)["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert set(placed) == {*create.OWN, "dvc.yaml", ".dvc/config", "studies"}
    assert all(target == f"share/thawline/{source}" for source, target in placed.items())
    assert all((repository / source).exists() for source in placed)


def test_the_pipeline_is_the_package_s_without_the_stage_that_reads_the_code(
    repository: Path,
) -> None:
    whole = YAML(typ="safe").load((repository / "dvc.yaml").read_text(encoding="utf-8"))
    made = YAML(typ="safe").load(generated.pipeline())
    assert whole["stages"].pop(code.STAGE)["outs"] == [{code.FILE.name: {"cache": False}}]
    assert made == whole
    assert set(generated.record()["stages"]) == set(made["stages"])


@pytest.mark.parametrize("part", ["stages", "plugins"])
def test_another_hash_is_refused_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code.check()  # without the file, nothing is asked
    record = generated.record()
    write(record)
    code.check()
    write(record | {"package": "0" * 16})
    code.check()  # as an earlier version wrote it
    write(record | {"version": "0.0.9", part: {"ingest": "1"}})
    with pytest.raises(UserError, match=r"code of thawline 0\.0\.9, and .*--upgrade"):
        code.check()
    for package in ("thawline", "stages"):
        Path(package).mkdir()
    code.check()  # in a checkout the stage `code` writes it, and runs first


def test_a_hash_is_read_back_as_a_text(tmp_path: Path) -> None:
    record = {"version": "1.0", "stages": {"ingest": "12e45678", "none": "0123"}}
    (tmp_path / "code.yaml").write_text(code.text(record))
    assert code.read(tmp_path / "code.yaml") == record


@pytest.mark.parametrize("text", ["", "[]", "stages: 3", "a: &b c", "\x00"])
def test_a_file_that_was_not_written_by_init_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code.FILE.write_text(text)
    with pytest.raises(UserError, match=r"^code\.yaml: ") as caught:
        code.check()
    assert "\n" not in str(caught.value)


def test_a_project_begins_in_an_empty_folder_outside_of_git(tmp_path: Path) -> None:
    (tmp_path / "full/inner").mkdir(parents=True)
    (tmp_path / "file").write_text("")
    repository = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    for folder, says in (
        (tmp_path / "full", "is not empty"),
        (tmp_path / "file/inner", "is a file"),
        (repository / "new/inner", "lies in the git repository"),
    ):
        with pytest.raises(UserError, match=says) as caught:
            create.create(folder, {})
        assert "\n" not in str(caught.value)
    assert not (repository / "new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        create.create(tmp_path / "new", {})


def test_a_value_that_is_not_allowed_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"params.yaml: ingest.source: 'wheel' is unknown"):
        create.create(tmp_path / "a/b", {"ingest.source": "wheel"})
    assert list(tmp_path.iterdir()) == []


def test_an_upgrade_wants_a_project(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"code\.yaml: not here"):
        upgrade.upgrade(tmp_path)


def test_a_project_of_the_version_before_gets_the_pipeline_of_this_one(tmp_path: Path) -> None:
    """Its dvc.yaml had other outputs, and its code.yaml a hash of the whole package."""
    folder = tmp_path / "leaves"
    create.create(folder, {})
    old = "stages: {ingest: {cmd: python -m stages.ingest}}\n"
    (folder / "dvc.yaml").write_text(old)
    ignored = (folder / ".gitignore").read_text().replace("/reports/ingest/findings\n", "")
    (folder / ".gitignore").write_text(ignored)
    record = code.read(folder / code.FILE)
    now = dict(record["stages"])
    record["stages"].pop("pictures")
    record["stages"]["ingest"] = "0" * 16
    record["files"]["dvc.yaml"] = generated.digest(old)
    (folder / code.FILE).write_text(code.text({**record, "package": "1" * 16}))
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    git = ("git", "-C", str(folder), *who)
    subprocess.run([*git, "commit", "--quiet", "--all", "-m", "Start"], check=True)
    done = upgrade.upgrade(folder)
    assert done.stages == ["ingest", "pictures"]
    assert (done.renewed, done.beside) == (["dvc.yaml"], [])
    assert done.ignored == ["/reports/ingest/findings"]
    assert (folder / "dvc.yaml").read_text() == generated.pipeline()
    after = code.read(folder / code.FILE)
    assert after["stages"] == now
    assert "package" not in after


def write(record: code.Hashes) -> None:
    with code.FILE.open("w", encoding="utf-8") as file:
        YAML().dump(record, file)


def test_without_git_it_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git: is not installed"):
        create.create(tmp_path / "leaves", {})
    with pytest.raises(UserError, match="git: is not installed"):
        upgrade._check_committed(tmp_path)
    with pytest.raises(UserError, match="git: is not installed"):
        commands.git("status")
    assert list(tmp_path.iterdir()) == []
