"""Versions of the libraries that change numbers; libraries.txt is a dependency of every stage."""

import sys
from importlib import metadata
from pathlib import Path

FILE = Path(__file__).parent / "libraries.txt"

LEAST_PATCH = {(3, 11): 14, (3, 12): 12}
"""Patch releases that correct how `tarfile` and `zipfile` read what a stranger made: negative
offsets (CVE-2025-8194), the end record of zip64 (CVE-2025-8291). Later ones correct more. Also in
pyproject.toml, since `requires-python` cannot say one for each of two lines of releases."""


def old_python(version: tuple[int, int, int] = sys.version_info[:3]) -> str:
    """Warn of an interpreter with known weaknesses in reading archives; empty for others."""
    *line, patch = version
    least = LEAST_PATCH.get((line[0], line[1]), 0)
    if patch >= least:
        return ""
    release = ".".join(map(str, line))
    return (
        f"Python {release}.{patch} lacks corrections to the reading of archives, which came with "
        f"{release}.{least}; use the latest {release} before archives of strangers are read"
    )


def recorded() -> dict[str, str]:
    """Versions that the file names, by library."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    found = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in found}


def others() -> list[str]:
    """Name libraries of another version than recorded, a line each; DVC does not notice them."""
    return [
        f"{name} {found} is installed and {version} recorded in libraries.txt: DVC may restore "
        "results of the other"
        for name, version in recorded().items()
        if (found := metadata.version(name)) != version
    ]
