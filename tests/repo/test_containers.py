"""The Containerfiles, read: there is no engine in which the tests could build them."""

import re
import shlex
import tomllib

import pytest

from tests.repo.code_graph import ROOT

FILES = ("Containerfile", "Containerfile.serving")
SECRET = re.compile(r"(?i)token|passw|secret|credential|api_?key|://[^/\s]*:[^/\s]*@")


def instructions(file: str) -> list[tuple[str, str]]:
    """Word and rest of each instruction, lines that go on joined, comments left out."""
    text = (ROOT / file).read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.split("\n") if not line.startswith("#"))
    lines = re.sub(r"\\\n", " ", kept).split("\n")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def copied(file: str) -> set[str]:
    """Sources of all COPY instructions."""
    return {word for name, rest in instructions(file) if name == "COPY"
            for word in shlex.split(rest)[:-1]}  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_it_starts_from_the_python_that_is_tested_and_copies_what_is_there(file: str) -> None:
    assert instructions(file)[0] == ("FROM", "docker.io/library/python:3.11-slim")
    assert copied(file)
    assert [source for source in copied(file) if not (ROOT / source).exists()] == []


@pytest.mark.parametrize("file", FILES)
def test_it_runs_without_privileges_and_holds_no_secret(file: str) -> None:
    names = [name for name, _ in instructions(file)]
    users = [rest for name, rest in instructions(file) if name == "USER"]
    assert len(users) == 1
    assert users[0] not in ("root", "0")
    assert names.index("USER") > max(k for k, name in enumerate(names) if name in ("RUN", "COPY"))
    assert not SECRET.search((ROOT / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES)
def test_what_it_installs_is_pinned(file: str) -> None:
    installs = [rest for name, rest in instructions(file) if "pip install" in rest]
    assert installs
    assert all(re.search(r"--constraint \S*constraints\.txt", rest) for rest in installs)


def test_training_copies_everything_that_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["only-include"], *wheel["shared-data"], "pyproject.toml"}
    needed |= {project["project"]["readme"], *project["project"]["license-files"]}
    assert needed - copied("Containerfile") == set()
    assert ("ENTRYPOINT", '["thawline"]') in instructions("Containerfile")


def test_serving_has_what_a_registered_model_asks_for_and_listens_on_loopback() -> None:
    publish = (ROOT / "thawline/registry/publish.py").read_text(encoding="utf-8")
    match = re.search(r"_REQUIREMENTS = \(([^)]*)\)", publish)
    assert match
    asked = set(re.findall(r'"([\w-]+)"', match[1]))
    (install,) = [rest for name, rest in instructions("Containerfile.serving") if name == "RUN"]
    assert asked <= set(install.split())
    env = dict(word.split("=") for name, rest in instructions("Containerfile.serving")
               if name == "ENV" for word in rest.split())  # fmt: skip
    assert env["HOST"] == "127.0.0.1"
    assert "--host $HOST" in instructions("Containerfile.serving")[-1][1]
