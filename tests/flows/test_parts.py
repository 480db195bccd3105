"""Parts of the flows that need no server: locks, what DVC prints, mistakes on the command line."""

import inspect
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from thawline.flows import (
    artifacts,
    dag,
    follow,
    pipeline,
    pipeline_flow,
    processes,
    retrain_flow,
    serve,
)
from thawline.flows.dag import Dag
from thawline.runtime import locks
from thawline.runtime.escape import markdown


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "THAWLINE_PROJECT", "PREFECT_API_URL", locks.OWNER_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)
    os.environ.clear()
    os.environ.update(before)


def owners() -> list[Path]:
    return list(Path(".thawline/locks").glob("*.owner"))


def test_the_second_run_is_told_whose_the_first_is() -> None:
    with locks.pipeline(owner="flow run odd-owl"):
        said = r"flow run odd-owl \(process \d+ .* in progress"
        with pytest.raises(locks.BusyError, match=said), locks.pipeline():
            pass
        with locks.pipeline(kind="retrain"):
            assert len(owners()) == 2
    assert owners() == []
    with locks.pipeline():
        pass


def test_a_run_that_failed_leaves_no_lock(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), locks.pipeline():
        raise ZeroDivisionError
    with locks.pipeline():
        pass
    assert capsys.readouterr().err == ""


def test_the_lock_of_a_dead_process_is_taken_over(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import os; from thawline.runtime import locks\n"
        "with locks.pipeline(owner='the dead one'): os._exit(9)"
    )
    root = Path(locks.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(root)}).returncode
    with locks.pipeline():
        assert "took over the lock of the dead one (process " in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "class Running stage 'evaluate':",
        "Running stage 'evaluate': 3 images",
        "Stage 'evaluate' didn't change, skipping it was wrong",
        "1 image of \"Stage 'evaluate' is cached - skipping run, checking out outputs\"",
    ],
)
def test_words_of_dvc_within_a_line_of_a_stage(line: str) -> None:
    assert follow.status(line) is None


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("Running stage 'evaluate':", "running"),
        ("\x1b[32mRunning stage 'evaluate':\x1b[0m ", "running"),
        ("Stage 'evaluate' didn't change, skipping", "skipped"),
        ("Stage 'evaluate' is cached - skipping run, checking out outputs", "restored"),
    ],
)
def test_lines_of_dvc(line: str, word: str) -> None:
    assert follow.status(line) == ("evaluate", word)


@pytest.mark.parametrize(
    ("line", "share"), [("epoch   3/30  train loss", 0.1), ("epoch 0/0", None), ("no", None)]
)
def test_epochs(line: str, share: float | None) -> None:
    assert follow.epochs(line) == share


def test_output_is_lines_of_both_streams() -> None:
    code = "import sys; print('a'); sys.stdout.flush(); print('b', file=sys.stderr)"
    assert processes.output([sys.executable, "-c", code], Path()) == ["a", "b"]


def test_a_failed_command_says_its_last_line() -> None:
    with pytest.raises(processes.CommandError, match=r"^no such thing$") as caught:
        processes.output([sys.executable, "-c", "exit('first\\nno such thing\\n')"], Path())
    assert caught.value.code == 1


def test_the_error_of_a_command_counts_not_what_it_says_of_help() -> None:
    code = "exit('ERROR: no such thing\\n\\nHaving any troubles? Hit us up')"
    with pytest.raises(processes.CommandError, match=r"^ERROR: no such thing$"):
        processes.output([sys.executable, "-c", code], Path())


def test_end_reaches_what_ignores_sigterm_and_groups_below() -> None:
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    run = processes.Lines([sys.executable, "-c", code], Path())
    child = int(run.next(30) or 0)
    processes.end(run.process, grace_s=0.2)
    assert run.process.returncode == -9
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    """Whether it is there, and not waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("parent", ["os.getppid()", "os.getpid()"], ids=["there", "gone"])
def test_a_process_whose_parent_ended_while_it_started_ends_too(parent: str) -> None:
    code = (
        f"import os; from thawline.runtime import locks; locks.die_with_parent({parent}); "
        "print('on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    is_there = parent == "os.getppid()"
    assert (done.returncode, done.stdout) == ((0, "on\n") if is_there else (-signal.SIGTERM, ""))
    assert f"die_with_parent({os.getpid()})" in processes.python("m")[2]


def test_no_line_in_time() -> None:
    run = processes.Lines(["sleep", "60"], Path())
    with pytest.raises(TimeoutError):
        run.next(0.1)
    processes.end(run.process)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "needs either --cron EXPR or --interval S"),
        (("--cron", "* * * * *", "--interval", "5"), "needs either --cron EXPR or --interval S"),
        (("--cron", "61 * * * *"), "--cron: '61 * * * *' is not a cron expression"),
        (("--cron", "? 3 * * *"), "--cron: '? 3 * * *' is not a cron expression"),
        (("--cron", "every night"), "--cron: 'every night' has 2 field(s); five are read"),
        (("--cron", "0 0 3 * * *"), "--cron: '0 0 3 * * *' has 6 field(s); five are read"),
        (("--cron", "0 0 3 * * * 2027"), "has 7 field(s); five are read"),
        (("--cron", "@reboot"), "--cron: '@reboot' has 1 field(s); five are read"),
        (("--cron", ""), "--cron: '' has 0 field(s); five are read"),
        (("--cron", "0 3 31 2 *"), "--cron: '0 3 31 2 *' never comes"),
        (("--cron", "0 3 31 4,6,9,11 *"), "'0 3 31 4,6,9,11 *' never comes"),
        (("--cron", "@daily", "--timezone", "Berlin"), "--timezone: 'Berlin' is not a time zone"),
        (("--cron", "@daily", "--timezone", "/etc/localtime"), "is not a time zone"),
        (("--interval", "5", "--timezone", "UTC"), "--timezone: belongs to --cron"),
        (("--interval", "0"), "--interval: '0' is not allowed"),
        (("--interval", "soon"), "--interval: 'soon' is not allowed"),
        (("--interval", "5", "--flow", "pipeline", "--notify", "x"), "belong to --flow retrain"),
        (("--interval", "5", "--commit-to", "+main"), "'+main' is not a branch name"),
        (("--interval", "5", "--commit-to", "a:b"), "'a:b' is not a branch name"),
    ],
)
def test_a_schedule_that_is_none(
    words: tuple[str, ...], said: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("params.yaml").write_bytes((repository / "params.yaml").read_bytes())
    assert serve.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("thawline: ")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "target", ["../other/dvc.yaml:stage", "other.dvc", "--force", "-f", "a b", "", "a;b", "/a"]
)
def test_a_flow_runs_stages_by_name_alone(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """DVC would also take options, and files with commands of their own."""
    assert pipeline.main(["--", target]) == 2
    assert f"thawline: targets: {target!r} is not the name of a stage" in capsys.readouterr().err
    state = pipeline_flow.pipeline.fn(targets=["ingest", target])
    assert (state.name, state.type.value) == ("Refused", "FAILED")


def test_no_parameter_of_a_deployment_names_a_folder_or_holds_a_secret() -> None:
    found = {
        name: set(inspect.signature(flow.fn).parameters)
        for name, flow in (
            ("pipeline", pipeline_flow.pipeline), ("retrain", retrain_flow.retrain),
        )
    }  # fmt: skip
    assert found == {
        "pipeline": {"targets", "stage_timeout_s", "busy_retries"},
        "retrain": {"commit_to", "stage_timeout_s"},
    }
    deployed = YAML(typ="safe").load(Path(serve.__file__).parents[2] / "prefect.yaml")
    named = {entry["entrypoint"].rpartition(":")[2] for entry in deployed["deployments"]}
    assert named == set(serve.FLOWS) == set(found)


@pytest.mark.parametrize(
    "name",
    [
        "<b>x</b>",
        "[a](http://b.c)",
        "www.a.b",
        "me@a.b",
        "a.b",
        "a|b",
        "\\<i>",
        "&#60;i&#62;",
        "**a** _b_ `c`",
    ],
)
def test_names_in_artifacts_stay_text(name: str) -> None:
    """Prefect's pages take no character references, so there are backslashes instead."""
    source = artifacts._backslashed(f"of {markdown(name)}")
    assert "&#" not in source.replace("\\&\\#", "")
    (_, inline, _) = MarkdownIt("commonmark").parse(source)
    assert {token.type for token in inline.children or []} == {"text"}
    assert inline.children
    shown = "".join(token.content for token in inline.children)
    assert shown.replace("\N{WORD JOINER}", "") == f"of {name}"
    assert not re.search(r"[\w.]://|[\w.]@|www\.", shown)


def test_dvc_draws_a_graph_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    stages = "stages:\n  a: {cmd: x, outs: [a]}\n  b: {cmd: x, deps: [a], outs: [b]}\n"
    Path("dvc.yaml").write_text(stages)
    drawn = Dag(Path.cwd())
    assert (drawn.stages, drawn.needs("b"), drawn.needs("a")) == (["a", "b"], ["a"], [])
    drawn.end()
    with monkeypatch.context() as patched:
        patched.setattr(dag, "_drawing", lambda folder: pytest.fail("drawn again"))
        known = Dag(Path.cwd())
        assert (known.stages, known.needs("b")) == (["a", "b"], ["a"])
        known.end()
    Path("dvc.yaml").write_text(stages + "  c: {cmd: x, deps: [b]}\n")
    changed = Dag(Path.cwd())
    assert changed.needs("c") == ["b"]
    changed.end()


def test_a_graph_of_files_that_were_edited_meanwhile_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    stages = "stages:\n  a: {cmd: x, outs: [a]}\n  b: {cmd: x, deps: [a], outs: [b]}\n"
    Path("dvc.yaml").write_text(stages)
    draw = dag._drawing

    def late(folder: Path) -> "subprocess.Popen[bytes]":
        (folder / "dvc.yaml").write_text(stages + "  c: {cmd: x, deps: [b]}\n")
        return draw(folder)

    with monkeypatch.context() as patched:
        patched.setattr(dag, "_drawing", late)
        drawn = Dag(Path.cwd())
        assert drawn.needs("c") == ["b"]
        drawn.end()
    Path("dvc.yaml").write_text(stages)
    again = Dag(Path.cwd())
    assert again.stages == ["a", "b"]
    again.end()
