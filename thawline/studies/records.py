"""Store the results of each trial as JSON in the project's scratch, so that none is repeated."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

from thawline.dvc import code as made_by
from thawline.dvc.hashes import Graph, md5
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.runtime import safe_json, workspace
from thawline.studies.definition import STAGES
from thawline.studies.scores import ScoredRows

_PLUGIN = re.compile(r"\$\{[^}]+\}")
_NO_RESULT = ("tracking", "budget", "evaluate")
"""Sections that change nothing before the last stage."""


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """The outcome of one trial.

    Attributes:
        values: counts and scores on the validation rows, e.g. `val_macro_f1`, `macs`.
        costs: measured costs, e.g. `latency_ms`; empty until then.
        rows: predictions for the validation rows.
        message: why it failed or was pruned, in one line.
        run_id: run in MLflow; None where there is none.
        experiment: experiment in DVC; None where there is none.
        logged: True where MLflow has all of this.
    """

    study: str
    key: str
    contender: str
    seed: int
    overrides: Mapping[str, Any]
    state: Literal["complete", "failed", "pruned"]
    message: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    rows: ScoredRows | None = None
    run_id: str | None = None
    experiment: str | None = None
    duration_s: float = 0.0
    logged: bool = False

    @classmethod
    def read(cls, study: str, key: str) -> Self | None:
        """Read a record; None where there is none or it is damaged: the trial runs again."""
        try:
            text = (folder(study, key) / "record.json").read_text(encoding="utf-8")
            values = safe_json.loads(text)
            rows = values.pop("rows")
            return cls(**values, rows=rows and ScoredRows.from_json(rows))
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return None

    def write(self) -> None:
        """Write the record at once: a kill leaves the record before, or none."""
        path = folder(self.study, self.key) / "record.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = asdict(replace(self, rows=None)) | {"rows": self.rows and self.rows.as_json()}
        part = path.with_suffix(".part")
        part.write_text(json.dumps(values), encoding="utf-8")
        part.replace(path)

    @property
    def network(self) -> Path:
        """Folder where a copy of the network waits to be timed."""
        return folder(self.study, self.key) / "network"


def folder(study: str, key: str) -> Path:
    return workspace.scratch() / "studies" / study / key


def code(root: Path, checked: Params, until: str, *, inputs: bool = True) -> str:
    """Hash everything but overrides that a trial's result depends on.

    Code of all plugins, the libraries' versions, params.yaml up to the stage, and, since images may
    be many, the size and time of each input instead of its content. Not what stages have made here.

    Args:
        root: the project.
        checked: its parameters.
        until: the last stage of the trial.
        inputs: True includes the inputs, whose times differ between clones of a project.
    """
    graph = Graph(root)
    made = {out for stage in graph.stages for out in graph.outputs(stage)}
    before = graph.until(until)
    names = {str(dep) for stage in before for dep in graph.spec(stage).get("deps", [])} - made
    keys, found = _keys(graph, before), hashlib.sha256()
    record = made_by.of(root) if keys else {}
    for key in sorted(keys):
        found.update(f"{key} {json.dumps(made_by.value(record, key), sort_keys=True)}\n".encode())
    for name in sorted(names):
        if not name.startswith("${"):
            for path in sorted(root.glob(_PLUGIN.sub("*", name))):
                if path.is_file():
                    found.update(f"{path.relative_to(root)} {md5(path)}\n".encode())
    raw = checked.model_dump(mode="json", exclude=_unused(until))
    found.update(json.dumps(raw, sort_keys=True).encode())
    for name in params_file.named_inputs(checked).values() if inputs else ():
        found.update(listing(root / name).encode())
    return found.hexdigest()


def _keys(graph: Graph, stages: Iterable[str]) -> set[str]:
    """Name what the stages are made of, by keys of code.yaml; all plugins where params choose."""
    entries = [entry for stage in stages for entry in graph.spec(stage).get("params", [])]
    named = [entry.get(made_by.FILE.name) for entry in entries if isinstance(entry, dict)]
    return {str(key).partition(".${")[0] for keys in named for key in keys or []}


def _unused(until: str) -> set[str]:
    return {*_NO_RESULT, *STAGES[STAGES.index(until) + 1 :]}


def listing(path: Path) -> str:
    """List name, size and time of a file or of all in a folder; empty where there is none."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.is_file() else []
    stats = [(file, file.stat()) for file in files if file.is_file()]
    return "".join(f"{f.relative_to(path.parent)} {s.st_size} {s.st_mtime_ns}\n" for f, s in stats)
