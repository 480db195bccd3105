"""Data in S3: DVC's remote against a server that speaks the real protocol."""

import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.tracking.conftest import Project, project  # noqa: F401
from thawline.flows import server

KEYS = {
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "NO_PROXY": "127.0.0.1",
}


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with an empty bucket `data`."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    port = server.free_port()
    moto = ThreadedMotoServer(server.HOST, port)
    moto.start()
    address = f"http://{server.HOST}:{port}"
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="data")
    yield address
    moto.stop()


@pytest.mark.slow
@pytest.mark.ci
def test_a_fresh_clone_pulls_and_has_nothing_to_do(
    project: Project,  # noqa: F811
    endpoint: str,
    tmp_path: Path,
) -> None:
    project.env |= KEYS | {"THAWLINE_TRACKING": "off"}
    dvc = (sys.executable, "-m", "dvc")
    project.run(*dvc, "repro")
    project.run(*dvc, "remote", "add", "--default", "store", "s3://data/thawline")
    project.run(*dvc, "remote", "modify", "store", "endpointurl", endpoint)
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "Results")
    project.run(*dvc, "push")
    clone = Project(tmp_path / "clone")
    clone.env |= KEYS | {"THAWLINE_TRACKING": "off"}
    project.run("git", "clone", "--quiet", ".", str(clone.folder))
    clone.run(*dvc, "pull")
    again = clone.run(*dvc, "repro").stdout
    assert again.count("didn't change, skipping") == 3
    assert "Running stage" not in again
    out = "out/evaluate/a b.txt"
    assert (clone.folder / out).read_bytes() == (project.folder / out).read_bytes()
