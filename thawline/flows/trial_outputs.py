"""Collect the outputs of a trial: predictions, a copy of the network, a DVC experiment."""

import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from thawline.dvc.hashes import Graph
from thawline.errors import UserError
from thawline.flows import processes, repository
from thawline.flows.processes import CommandError, one_line
from thawline.flows.trial_request import TrialRequest
from thawline.flows.worktree import all_but_inputs
from thawline.runtime import safe_json, workspace
from thawline.studies.records import folder
from thawline.studies.scores import ScoredRows


def drop_later(tree: Path, until: str) -> None:
    """Drop the outputs of the stages after `until`, which were made for other params.

    The experiment would show them as its own.
    """
    graph, path = Graph(tree), tree / "dvc.lock"
    later = _later(graph, until)
    for name in later:
        for out in graph.outputs(name):
            target = tree / out
            shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    if path.is_file():
        yaml, half = YAML(), path.with_suffix(".half")
        try:
            lock = yaml.load(path.read_text(encoding="utf-8"))
            for name in later:
                lock["stages"].pop(name, None)
            whole = all("cmd" in spec for spec in lock["stages"].values())
        # Cut where a trial was killed: without it DVC restores what it can.
        except (ValueError, YAMLError, TypeError, LookupError, AttributeError):
            whole = False
        if not whole:
            path.unlink()
            return
        with half.open("w", encoding="utf-8") as file:
            yaml.dump(lock, file)
        half.replace(path)


def _later(graph: Graph, until: str) -> list[str]:
    if until not in graph.written:
        raise UserError(f"dvc.yaml: has no stage {until!r}, where the study's trials end")
    return [stage for stage in graph.written if stage not in graph.until(until)]


def judged(order: TrialRequest, tree: Path) -> dict[str, Any]:
    """Return values and rows as a `TrialRecord` has them; predicts in a process of its own."""
    out = folder(order.trial.study, order.key) / "judged.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    command = processes.python("thawline.studies.judging", order.until, str(out))
    processes.output(command, tree, order.environment)
    found = safe_json.loads(out.read_text(encoding="utf-8"))
    out.unlink()
    return {"values": found["values"], "rows": ScoredRows.from_json(found["rows"])}


def keep(source: Path, target: Path) -> None:
    """Copy the network, to be timed later."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def saved(order: TrialRequest, tree: Path) -> dict[str, Any]:
    """Save the DVC experiment; a failure is only noted: the result is worth more than its name."""
    # With a target: else DVC misses the outputs of the stages that the trial has not reached.
    words = ["--force", "--name", order.name, *_untracked(tree), order.until]
    try:
        # DVC keeps what it is saving in references that all working trees of a repository share.
        with FileLock(workspace.scratch() / "locks" / "exp-save.lock"):
            repository.dvc(tree, "exp", "save", *words)
    except CommandError as error:
        return {"message": f"no DVC experiment: {one_line(error)}"}
    return {"experiment": order.name}


def _untracked(tree: Path) -> list[str]:
    """List `-I` options for files that git does not know yet, except images."""
    words = ("ls-files", "-z", "--others", "--exclude-standard")
    listed = repository.git(tree, *words, *all_but_inputs(tree))
    return [word for path in sorted(set(listed.split("\0")) - {""}) for word in ("-I", path)]
