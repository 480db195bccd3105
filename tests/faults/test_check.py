"""`thawline check` looks into everything that params.yaml names."""

import re
from pathlib import Path

import pytest

from thawline.cli import beginning
from thawline.errors import UserError


@pytest.fixture
def project(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    text, policies = re.subn(r"(\naugment:.*\n  policy:) \w+", r"\1 file", text)
    text, files = re.subn(r"(\n  file:) data/none", r"\1 mine.yaml", text)
    assert (policies, files) == (1, 1)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "data").mkdir()
    for name in ("none", "label_fixes.csv", "holdout.csv"):
        (tmp_path / "data" / name).write_text("image,label,was\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_policy_file_is_checked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "mine.yaml").write_text("- {name: HorizontalFlip}\n")
    beginning.check()
    assert capsys.readouterr().out == "params.yaml: fine\n"


@pytest.mark.parametrize("name", ["Lambda", "os.system", "!!python/object:os.system {}"])
def test_a_class_outside_the_list_is_refused(project: Path, name: str) -> None:
    (project / "mine.yaml").write_text(f"- {{name: {name}}}\n")
    with pytest.raises(UserError, match=r"mine\.yaml: "):
        beginning.check()
