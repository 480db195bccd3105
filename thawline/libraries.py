"""Versions of the libraries that change numbers; libraries.txt is a dependency of every stage."""

from importlib import metadata
from pathlib import Path

FILE = Path(__file__).parent / "libraries.txt"


def recorded() -> dict[str, str]:
    """Versions that the file names, by library."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    found = (line.partition("==") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in found}


def others() -> list[str]:
    """What is installed in another version than recorded, a line each; DVC does not notice it."""
    return [
        f"{name} {found} is installed and {version} recorded in libraries.txt: DVC may restore "
        "results of the other"
        for name, version in recorded().items()
        if (found := metadata.version(name)) != version
    ]
