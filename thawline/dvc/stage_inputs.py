"""Note what a stage is made of when it begins, and check it when the stage ends.

DVC writes down params, code and inputs as they are after a stage: one that somebody edited while
it ran would be recorded, in dvc.lock and in the run cache, as what the result was made of.
"""

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thawline.dvc import cache, code, lock_entries, run_cache
from thawline.dvc.appearance import look
from thawline.dvc.code import Code
from thawline.dvc.hashes import Graph
from thawline.errors import UserError
from thawline.params import params_file
from thawline.runtime import execution, safe_yaml

_TEMPLATE = re.compile(r"\$\{([\w.]+)\}")
_SHOWN = 3
_DVC_LOCKED = Path(".dvc/tmp/rwlock")
_EXPERIMENT = "DVC_EXP_BASELINE_REV"
"""Set by `dvc exp run`."""
_NOTHING = object()
Values = dict[str, dict[str, Any]]
"""File of params -> dotted key, as dvc.yaml names it -> value."""


@dataclass(frozen=True)
class Origin:
    """A stage's command, params, code and inputs as it found them.

    Attributes:
        command, outs: as in dvc.yaml.
        watched: what must not be edited meanwhile: `values`, and in an experiment all of
            params.yaml, which DVC commits with the result.
        files: path in `deps`, templates filled in -> what its content looks like; "" where there
            is nothing.
        modules: path -> hash of what the stage and the plugins that it names are made of.
        texts: file of params -> its bytes, so that an equal one need not be parsed.
    """

    stage: str
    command: str
    values: Values
    watched: Values
    files: dict[str, str]
    modules: dict[str, str]
    outs: dict[str, bool]
    texts: dict[str, bytes]

    def require(self, settle: Callable[[], None]) -> None:
        """Compare with what is there now.

        The outputs of a stage whose params alone were edited stay in DVC's cache as what they are,
        so that the old params bring them back.

        Args:
            settle: called once the outputs are safe, as what they are.

        Raises:
            UserError: something was edited meanwhile; the new outputs are gone from the workspace.
        """
        edited, changed = list(self._edited()), list(self._changed())
        if not edited and not changed:
            lock_entries.note(self.stage, self.command, self.values, self.files, self.outs)
            settle()
            return
        ending = "; run it again"
        if not changed:
            reason = run_cache.keep(
                self.stage, self.command, list(self.files), self.values, self.outs
            )
            if reason:
                ending = f" and cannot be kept for the old value: {reason}; run it again"
            else:
                ending = " but kept for the old value, which brings it back; run it again"
                settle()
        cache.discard(self.outs)
        raise UserError(
            f"{_listed([*edited, *changed])} while the stage ran: its result is not recorded"
            f"{ending}"
        )

    def _edited(self) -> Iterator[str]:
        for file, before in self.watched.items():
            path = Path(file)
            try:
                if path.read_bytes() == self.texts[file]:
                    continue
                now = _chosen(safe_yaml.load(path), before)
            except (OSError, UserError):
                yield f"{file}: was removed or can no longer be read"
                continue
            old, new = params_file.flatten(before), params_file.flatten(now)
            for key in [*old, *(key for key in new if key not in old)]:
                if old.get(key, _NOTHING) != new.get(key, _NOTHING):
                    was, found = _shown(old.get(key, _NOTHING)), _shown(new.get(key, _NOTHING))
                    yield f"{file}: {key} was edited from {was} to {found}"

    def _changed(self) -> Iterator[str]:
        for name, before in self.files.items():
            if look(Path(name)) != before:
                yield f"{name}: was changed"
        now = _modules(self.values, Code())
        for name in sorted({**self.modules, **now}):
            if self.modules.get(name) != now.get(name):
                yield f"{name}: was changed"


def begin(stage: str, graph: Graph, source: params_file.ParamsSource) -> Origin | None:
    """Note what the stage is made of; None outside of DVC, which then records nothing.

    Raises:
        UserError: its params or code were edited since the run of the pipeline began, whose earlier
            stages, and DVC's own reading of dvc.yaml, followed the old ones; or DVC has recorded
            an earlier result as made of something else.
    """
    if os.environ.get("DVC_STAGE") != stage:
        return None
    lock_entries.require()
    spec = graph.spec(stage)
    templates = [str(dep) for dep in spec.get("deps", [])]
    values, texts = _values(spec.get("params", []), source)
    names = set(_TEMPLATE.findall(json.dumps([templates, spec.get("params", [])])))
    watched = dict(values)
    if os.environ.get(_EXPERIMENT):
        watched[str(params_file.FILE)], texts[str(params_file.FILE)] = source.values, source.text
    _require_as_begun(source, [*watched.get(str(params_file.FILE), {}), *names])
    deps = [_filled(template, source.values) for template in templates]
    _require_as_dvc_read(set(deps) - set(templates), graph.outputs(stage))
    now = Code()
    _require_as_described(values, now)
    uncached = set(graph.uncached())
    return Origin(
        stage=stage,
        command=str(spec.get("cmd", "")),
        values=values,
        watched=watched,
        files={dep: look(Path(dep)) for dep in deps},
        modules=_modules(values, now),
        outs={out: out not in uncached for out in graph.outputs(stage)},
        texts=texts,
    )


def _require_as_dvc_read(deps: Collection[str], outs: Sequence[str]) -> None:
    """Check that DVC has filled the templates of dvc.yaml with the params that are there now.

    It notes in a file which paths it keeps from being written to, and for whom.
    """
    try:
        found = json.loads(_DVC_LOCKED.read_text(encoding="utf-8"))
        written, read = found["write"], found["read"]
        owner = next(written[path] for path in map(os.path.realpath, outs) if path in written)
        inputs = {os.path.realpath(path) for path, owners in read.items() if owner in owners}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return
    if missing := sorted(dep for dep in deps if os.path.realpath(dep) not in inputs):
        raise UserError(
            f"{params_file.FILE} was edited after DVC had read it, for which {missing[0]} is no "
            "input of the stage; run it again"
        )


def _require_as_described(values: Values, now: Code) -> None:
    """Check that the stage runs on the code that DVC will record, as the stage `code` found it."""
    described = values.get(code.FILE.name, {})
    if keys := [key for key, value in described.items() if now.digest(key) != value]:
        raise UserError(
            f"{code.FILE}: {_listed(keys)}: the code was edited since it was described, while the "
            "run was in progress; what the stages before made is kept; run it again"
        )


def _modules(values: Values, now: Code) -> dict[str, str]:
    return now.hashes(*values.get(code.FILE.name, {}))


def written_down(source: params_file.ParamsSource) -> dict[str, str]:
    """Params as an execution's state keeps them."""
    return {key: repr(value) for key, value in params_file.flatten(source.values).items()}


def _require_as_begun(source: params_file.ParamsSource, keys: list[str]) -> None:
    now = written_down(source)
    with execution.changed(execution.identify()) as state:
        begun = state.setdefault("params", now)
    mine = [
        name
        for name in {**begun, **now}
        if any(name == key or name.startswith(f"{key}.") for key in keys)
    ]
    edited = [
        f"{params_file.FILE}: {name} was edited from {begun.get(name, 'nothing')} to "
        f"{now.get(name, 'nothing')}"
        for name in mine
        if begun.get(name) != now.get(name)
    ]
    if edited:
        raise UserError(
            f"{_listed(edited)} while the run was in progress; what the stages before made is "
            "kept; run it again"
        )


def _values(
    entries: list[Any], source: params_file.ParamsSource
) -> tuple[Values, dict[str, bytes]]:
    keys: dict[str, list[str]] = {}
    for entry in entries:
        named = entry if isinstance(entry, dict) else {str(params_file.FILE): [entry]}
        for file, wanted in named.items():
            filled = [_filled(str(key), source.values) for key in wanted or []]
            keys.setdefault(str(file), []).extend(filled)
    values: Values = {}
    texts: dict[str, bytes] = {}
    for file, wanted in keys.items():
        own = file == str(params_file.FILE)
        content, texts[file] = (source.values, source.text) if own else safe_yaml.read(Path(file))
        chosen = dict.fromkeys(wanted or content)
        values[file] = _chosen(content, chosen)
    return values, texts


def _chosen(content: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: _at(content, key) for key in keys}
    return {key: value for key, value in found.items() if value is not _NOTHING}


def _at(content: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        if not isinstance(content, Mapping) or part not in content:
            return _NOTHING
        content = content[part]
    return content


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template in; a key that params.yaml lacks stays, since DVC may know it."""

    def value(match: re.Match[str]) -> str:
        found = _at(values, match[1])
        return match[0] if found is _NOTHING else str(found)

    return _TEMPLATE.sub(value, template)


def _shown(value: Any) -> str:
    return "nothing" if value is _NOTHING else safe_yaml.format_value(value)


def _listed(found: list[str]) -> str:
    more = len(found) - _SHOWN
    return "; ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
