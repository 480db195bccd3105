"""Tell what became of stages that did not run: skipped, restored, or not reached.

A stage that runs notes it itself. DVC only prints what it does with the others, so it is told from
the outputs and from dvc.lock, as they are before a run and after it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from thawline.dvc.appearance import stamp
from thawline.dvc.hashes import Graph
from thawline.runtime import execution, workspace
from thawline.tracking.closing import NOT_REACHED

_READ = ("dvc.yaml", "dvc.lock")
_NOT_WELL = ("failed", "killed", "running")


class Before:
    """Outputs and records of a workspace (the current folder) as a run finds them."""

    def __init__(self) -> None:
        self._texts, self._graph = _texts(), Graph(workspace.workspace())
        self._found = _found(self._graph)

    def fates(
        self, state: execution.State, targets: Sequence[str], *, done: bool
    ) -> dict[str, str]:
        """Tell stage -> ran, failed, restored, skipped or not reached.

        Args:
            state: the execution's, whose stages are those that ran.
            targets: what DVC was asked for; everything if empty.
            done: whether DVC came to its end.
        """
        graph = self._graph if _texts() == self._texts else Graph(workspace.workspace())
        ran = state["stages"]
        found = _found(graph)
        asked = [target.rpartition(":")[2] for target in targets] if done else list(ran)
        whole = done and not {*asked} & {*graph.written}
        reached = {*graph.written} if whole else _needed(graph, asked)
        fates = {}
        for name in graph.stages:
            restored = found[name] != self._found.get(name)
            fate = "restored" if restored else "skipped" if name in reached else NOT_REACHED
            fates[name] = "ran" if name in ran else fate
        if not done and not any(entry.get("status") in _NOT_WELL for entry in ran.values()):
            fates |= _failed(graph, fates)
        return fates


def _found(graph: Graph) -> dict[str, object]:
    return {
        name: (graph.entry(name), [stamp(Path(path)) for path in graph.outputs(name)])
        for name in graph.written
    }


def _texts() -> list[bytes]:
    """Look at the files that the graph is read from."""
    return [path.read_bytes() if path.is_file() else b"" for path in map(Path, _READ)]


def _failed(graph: Graph, fates: Mapping[str, str]) -> dict[str, str]:
    """Guess the stage that DVC came to and that could not even note it."""
    for name, fate in fates.items():
        needed = _needed(graph, [name]) - {name}
        if fate == NOT_REACHED and all(fates[other] != NOT_REACHED for other in needed):
            return {name: "failed"}
    return {}


def _needed(graph: Graph, names: Iterable[str]) -> set[str]:
    """Stages and those that they need, by what dvc.yaml says."""
    found: set[str] = set()
    waiting = [name for name in names if name in graph.written]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            deps = [str(dep).rstrip("/") for dep in graph.spec(name).get("deps") or ()]
            waiting += [
                other
                for other in graph.written
                for out in (path.rstrip("/") for path in graph.outputs(other))
                if any(dep == out or dep.startswith(f"{out}/") for dep in deps)
            ]
    return found
