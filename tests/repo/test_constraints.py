"""constraints.txt pins the set that was tested, and that set is installed."""

import re
import tomllib
from functools import cache
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.repo.code_graph import ROOT
from thawline.dvc import libraries

PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s;]+)(?:\s*;.*)?")


@cache
def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found: dict[str, Version] = {}
    for line in (line.split("#")[0].strip() for line in lines):
        if line:
            match = PIN.fullmatch(line)
            assert match, f"not an exact pin: {line}"
            found[canonicalize_name(match["name"])] = Version(match["version"])
    return found


@cache
def required() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [word for extra in project["optional-dependencies"].values() for word in extra]
    return [Requirement(word) for word in (*project["dependencies"], *extras)]


@pytest.mark.parametrize("requirement", required(), ids=lambda r: r.name)
def test_a_direct_dependency_is_pinned_within_its_range(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    assert name in pins()
    assert requirement.specifier.contains(pins()[name])


def test_the_installed_versions_are_the_pinned_ones() -> None:
    """Of everything installed that is pinned; a local part such as +cu130 does not count."""
    wrong = {}
    for distribution in metadata.distributions():
        name = canonicalize_name(distribution.metadata["Name"])
        installed = Version(distribution.version)
        if name in pins() and Version(installed.public) != Version(pins()[name].public):
            wrong[name] = (distribution.version, str(pins()[name]))
    assert wrong == {}


def test_what_the_direct_dependencies_need_is_pinned_too() -> None:
    """Transitively, as installed here."""
    seen: set[str] = set()
    waiting = [canonicalize_name(r.name) for r in required()]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _needs(name)
    assert seen - set(pins()) == set()


def _needs(name: str) -> list[str]:
    try:
        words = [Requirement(word) for word in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:  # of an extra that is not installed
        return []
    wanted = [r for r in words if r.marker is None or r.marker.evaluate({"extra": ""})]
    return [canonicalize_name(r.name) for r in wanted]


def test_libraries_that_change_numbers_are_recorded_as_pinned_and_installed() -> None:
    found = libraries.recorded()
    assert {"torch", "torchvision", "timm", "albumentations", "imbalanced-learn"} <= found.keys()
    assert {name: str(pins()[canonicalize_name(name)]) for name in found} == found
    assert libraries.others() == []


def test_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "recorded", lambda: {"torch": "1.0"})
    (line,) = libraries.others()
    assert line.startswith("torch ")
    assert "1.0 recorded" in line
