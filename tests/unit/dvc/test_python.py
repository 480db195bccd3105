"""Interpreters whose standard library reads archives wrongly are named."""

from pathlib import Path

import pytest

from thawline.dvc import libraries


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 11, 13), (3, 12, 11)])
def test_old_patch_releases(version: tuple[int, int, int]) -> None:
    least = libraries.LEAST_PATCH[version[:2]]
    assert f"came with 3.{version[1]}.{least};" in libraries.old_python(version)


@pytest.mark.parametrize("version", [(3, 11, 14), (3, 12, 12), (3, 13, 0)])
def test_others(version: tuple[int, int, int]) -> None:
    assert libraries.old_python(version) == ""


def test_pyproject_says_the_same(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    for (major, minor), patch in libraries.LEAST_PATCH.items():
        assert f"{major}.{minor}.{patch}" in text
