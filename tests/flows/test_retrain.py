"""Retraining, on real git, DVC, MLflow and Prefect: what it pulls, and what it leaves alone."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.flows.conftest import flow
from tests.tracking.conftest import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def trained(small: Project) -> Project:
    """With images that git does not know, which ingest depends on, and a first run committed."""
    dvc = small.folder / "dvc.yaml"
    dvc.write_text(dvc.read_text().replace(
        "cmd: python -m small.ingest", "cmd: python -m small.ingest\n    deps: [data/raw]"
    ))  # fmt: skip
    small.set("ingest.path", "data/raw")
    append(small.folder / ".gitignore", "/data/raw\n/out\n")
    (small.folder / "data/raw").mkdir()
    (small.folder / "data/raw/1.png").write_text("one")
    small.run(sys.executable, "-m", "thawline.cli", "run")
    small.run("git", "add", "-A")
    small.run("git", "commit", "-qm", "first run")
    small.env["THAWLINE_TRACKING"] = "off"  # the small project has no model to publish
    return small


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """A webhook that keeps what it is sent."""
    got: list[bytes] = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Keep)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()
    thread.join()


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def files(project: Project) -> dict[str, bytes]:
    """Content of everything but scratch, DVC's and git's own files."""
    aside = {".thawline", ".git", ".dvc", "__pycache__"}
    paths = [p for p in project.folder.rglob("*") if p.is_file()]
    named = {p.relative_to(project.folder): p for p in paths}
    return {str(k): p.read_bytes() for k, p in named.items() if not aside & set(k.parts)}


def git(project: Project, *words: str) -> str:
    return project.run("git", *words).stdout.strip()


def test_new_images_are_trained_on_once(trained: Project, hook: tuple[str, list[bytes]]) -> None:
    address, got = hook
    assert "Finished in state Nothing to do(" in flow(trained, "retrain", "--notify", address)
    assert got == []
    (trained.folder / "data/raw/2.png").write_text("two")
    text = flow(trained, "retrain", "--notify", address, "--commit-to", "retrained")
    assert "1 ran, 2 skipped" in text  # what ingest makes of it is the same
    assert b'"flow": "retrain"' in got[0]
    kept = (
        "from prefect.client.orchestration import get_client\n"
        "with get_client(sync_client=True) as client:\n"
        "    for run in client.read_flow_runs():\n"
        "        print(run.model_dump_json())\n"
    )
    stored = trained.python(kept).stdout
    assert '"commit_to":"retrained"' in stored
    assert address not in stored
    assert trained.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    assert not (trained.folder / ".thawline/retrain").exists()
    assert git(trained, "worktree", "list").count("\n") == 0
    assert git(trained, "diff", "--name-only", "retrained") == ""
    assert git(trained, "diff", "--name-only") == "dvc.lock"
    assert "Finished in state Nothing to do(" in flow(trained, "retrain")


def test_a_failure_changes_nothing(trained: Project, hook: tuple[str, list[bytes]]) -> None:
    address, got = hook
    (trained.folder / "data/raw/2.png").write_text("two")
    (trained.folder / "small/ingest.py").write_text("raise SystemExit('no more')\n")
    before = files(trained)
    flow(trained, "retrain", "--notify", address, code=1)
    assert files(trained) == before
    assert b'"state": "Failed"' in got[0]
    assert git(trained, "worktree", "list").count("\n") == 0


def test_newer_commits_are_taken_and_pushed_back(trained: Project, tmp_path: Path) -> None:
    remote, other = tmp_path / "remote.git", tmp_path / "other"
    trained.run("git", "init", "-q", "--bare", "-b", "main", str(remote))
    trained.run("git", "remote", "add", "origin", str(remote))
    trained.run("git", "push", "-q", "-u", "origin", "main")
    trained.run("dvc", "remote", "add", "--local", "-d", "store", str(tmp_path / "store"))
    subprocess.run(["git", "clone", "-q", str(remote), str(other)], check=True)
    changed = Project(other)
    changed.set("fine_tune.epochs", "7")
    for name in ("user.name", "user.email"):
        changed.run("git", "config", name, "b@c")
    changed.run("git", "commit", "-qam", "longer")
    changed.run("git", "push", "-q")
    text = flow(trained, "retrain", "--commit-to", "retrained")
    assert "1 skipped" in text
    assert "2 ran" in text
    assert git(trained, "rev-parse", "HEAD") == git(trained, "rev-parse", "origin/main")
    assert any((tmp_path / "store").rglob("*"))
    assert git(trained, "ls-remote", "origin", "retrained").split()[0] == git(
        trained, "rev-parse", "retrained"
    )
    assert trained.run("dvc", "status", "--cloud").stdout.strip().endswith("in sync.")


def test_what_a_person_must_mend_is_refused(trained: Project, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    trained.run("git", "init", "-q", "--bare", "-b", "main", str(remote))
    trained.run("git", "remote", "add", "origin", str(remote))
    trained.run("git", "push", "-q", "-u", "origin", "main")
    trained.set("fine_tune.epochs", "7")
    trained.run("git", "commit", "-qam", "theirs")
    trained.run("git", "push", "-q")
    trained.run("git", "reset", "-q", "--hard", "HEAD~1")
    refused = flow(trained, "retrain", "--commit-to", "main", code=2)
    assert "--commit-to: 'main' is checked out in" in refused
    trained.set("fine_tune.epochs", "9")
    before = files(trained)
    text = flow(trained, "retrain", code=2)
    assert "params.yaml: changed here and in the newest commits" in text
    trained.run("git", "commit", "-qam", "ours")
    assert "have diverged" in flow(trained, "retrain", code=2)
    assert files(trained) == before


def test_edits_during_the_run_are_kept(trained: Project) -> None:
    (trained.folder / "data/raw/2.png").write_text("two")
    script, note = trained.folder / "small/ingest.py", trained.folder / "note.txt"
    script.write_text(
        script.read_text().replace(
            "def main(params, run):\n",
            f"def main(params, run):\n    Path({str(note)!r}).write_text('# edited\\n')\n",
        )
    )
    before = files(trained)
    text = flow(trained, "retrain", code=2)
    assert "have changed during the run" in text
    after = files(trained)
    assert after.pop("note.txt") == b"# edited\n"
    assert after == before


def test_a_second_retraining_is_skipped(trained: Project) -> None:
    code = (
        "import sys; from thawline.runtime import locks\n"
        "with locks.pipeline(kind='retrain'): print('mine', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], cwd=trained.folder, env=trained.env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    assert "is in progress" in flow(trained, "retrain", code=75)
    holder.communicate()
