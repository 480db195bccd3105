"""The whole pipeline with no network, a clock set back and another time zone: the same hashes."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.project import STAGES, Project, ran

YEARS_BACK, YEAR_S = 9, 31_557_600
CLOCK = """\
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *now) {
  int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
  int code = real(id, now);
  if (!code && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec -= BACK;
  return code;
}
time_t time(time_t *given) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (given) *given = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  int code = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return code;
}
"""
"""Loaded before the C library: every program of the run has the wrong date."""
WATCH = """\
import os, sys
def see(event, given):
    if event == "socket.getaddrinfo" or event == "socket.connect" and isinstance(given[1], tuple):
        with open(os.environ["SEEN"], "a") as file:
            file.write(f"{event} {given[-1 if event == 'socket.connect' else 0]}\\n")
sys.addaudithook(see)
"""
"""Loaded at the start of every Python: who looks up a name or connects is written down."""


def _may_unshare() -> bool:
    return subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _may_unshare(), reason="taking the network away takes rights"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]


@pytest.fixture(scope="module")
def clone(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone after its first run, without network and nine years ago."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "clock.c").write_text(CLOCK)
    library = folder / "clock.so"
    back = f"-DBACK={YEARS_BACK * YEAR_S}L"
    cc = ["cc", back, "-shared", "-fPIC", "-o", str(library), str(folder / "clock.c"), "-ldl"]
    subprocess.run(cc, check=True)
    (folder / "watch").mkdir()
    (folder / "watch" / "sitecustomize.py").write_text(WATCH)
    built.run("git", "clone", "--quiet", str(built.folder), str(folder / "a clone"))
    project = Project(folder / "a clone")
    env = {
        "LD_PRELOAD": str(library),
        "PYTHONPATH": f"{folder / 'watch'}:{project.folder}",
        "SEEN": str(folder / "seen"),
        "TZ": "America/St_Johns",
    }
    project.first = project.run("unshare", "--net", "thawline", "run", env=env)
    yield project
    project.end()


def test_it_gives_the_same_hashes(built: Project, clone: Project) -> None:
    assert clone.first is not None
    assert ran(clone.first) == list(STAGES)
    assert clone.hashes() == built.hashes()


def test_the_clock_was_wrong_and_the_record_is_whole(built: Project, clone: Project) -> None:
    (now,), (then,) = built.runs("pipeline"), clone.runs("pipeline")
    years = (now.info.start_time - then.info.start_time) / 1000 / YEAR_S
    assert round(years) == YEARS_BACK
    assert then.info.status == "FINISHED"
    assert {run.info.status for run in clone.runs("stage")} == {"FINISHED"}


def test_nobody_looked_for_a_network(clone: Project) -> None:
    """So there was no wait for a time-out either."""
    seen = clone.folder.parent / "seen"
    assert not seen.exists(), json.dumps(seen.read_text())


def test_back_in_time_and_forward_nothing_is_done_again(clone: Project) -> None:
    assert ran(clone.run("dvc", "repro")) == []


def test_the_watch_sees(tmp_path: Path, clone: Project) -> None:
    env = {"PYTHONPATH": str(clone.folder.parent / "watch"), "SEEN": str(tmp_path / "seen")}
    code = "import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass"
    clone.run("python", "-c", code, env=env)
    assert len((tmp_path / "seen").read_text().splitlines()) == 2
