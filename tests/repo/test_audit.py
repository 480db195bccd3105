"""How the audit reads what pip-audit writes; the program itself needs a network."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.repo import audit

WEAK = {"id": "PYSEC-1", "fix_versions": ["2.0"], "aliases": [], "description": ""}
FINE = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found on PyPI and could not be audited"}
BAD = {"name": "c", "version": "1", "vulns": [WEAK, WEAK | {"id": "PYSEC-2", "fix_versions": []}]}


def answer(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, str], *words: str) -> int:
    """With a pip-audit of the test's own, which says so much for each service."""
    (folder / "said").write_text(json.dumps(said))
    program = folder / "pip-audit"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        "service = sys.argv[sys.argv.index('--vulnerability-service') + 1]\n"
        f"print(json.load(open({str(folder / 'said')!r}))[service])\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sys, "argv", ["audit", *words])
    return audit.main()


def test_weaknesses_fail_and_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"pypi": answer(FINE, SKIPPED, BAD)}
    assert run(tmp_path, monkeypatch, said) == 1
    assert capsys.readouterr().out.splitlines() == [
        "c 1: PYSEC-1; mended in 2.0",
        "c 1: PYSEC-2; mended in no version yet",
        "audit: not known there: b",
    ]


def test_none_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, monkeypatch, {"pypi": answer(SKIPPED), "osv": answer(FINE)}) == 0
    assert capsys.readouterr().out == "audit: no known weakness\n"


@pytest.mark.parametrize("words", [(), ("--must",)])
def test_a_mirror_that_knows_no_weaknesses_is_no_answer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    said = {"pypi": answer(SKIPPED, SKIPPED), "osv": ""}
    assert run(tmp_path, monkeypatch, said, *words) == len(words)
    assert capsys.readouterr().out.startswith("audit: NOT DONE")


@pytest.mark.parametrize("words", [(), ("--must",)])
def test_without_the_program_it_is_not_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["audit", *words])
    assert audit.main() == len(words)
    assert capsys.readouterr().out.startswith("audit: NOT DONE: no pip-audit")
