"""Where DVC's cache is, as the project's own files say."""

from pathlib import Path

import pytest

from thawline.dvc import cache
from thawline.errors import UserError

LOCAL = "[core]\n    analytics = false\n    autostage = false\n['remote \"a\"']\n    url = x\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)


def test_its_place(tmp_path: Path) -> None:
    assert cache._configured() == Path(".dvc/cache")
    Path(".dvc/config").write_text(f"{LOCAL}[cache]\n    dir = ../shared 100%\n")
    assert cache._configured().resolve() == tmp_path / "shared 100%"
    Path(".dvc/config.local").write_text("[cache]\n    dir = /elsewhere\n")
    assert cache._configured() == Path("/elsewhere")
    Path(".dvc/config.local").write_text("rubbish\x00")
    assert cache._configured().resolve() == tmp_path / "shared 100%"


def test_one_that_cannot_be_written_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    cache.require_cache("augment")  # outside of DVC
    monkeypatch.setenv("DVC_STAGE", "augment")
    cache.require_cache("augment")  # there is none yet
    Path(".dvc/cache").mkdir()
    with pytest.raises(UserError, match=r"^\.dvc/cache: DVC's cache cannot be written"):
        cache.require_cache("augment")
