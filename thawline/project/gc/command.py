"""Run and report `thawline gc`."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thawline.errors import UserError
from thawline.params import params_file
from thawline.project.gc import cache, experiments, scratch
from thawline.runtime import locks
from thawline.tracking import address

if TYPE_CHECKING:
    from thawline.registry.old_runs import Stale
    from thawline.tracking.store import Store

_DAY_S = 86400.0
_MB = 1e6


@dataclass(frozen=True)
class Finding:
    """One kind of garbage: its name, number, size, and how it is removed."""

    what: str
    number: int
    num_bytes: int
    remove: Callable[[], None]


def run(older_than_days: float, *, sure: bool) -> None:
    """Find what is older than the given days, and remove it if `sure`.

    Raises:
        UserError: a run, a stage or a study is in progress, or git, DVC or the store cannot do it.
    """
    before_s = time.time() - older_than_days * _DAY_S
    with ExitStack() as held:
        try:
            held.enter_context(locks.pipeline(owner="thawline gc"))
            held.enter_context(locks.pipeline(kind="retrain", owner="thawline gc"))
        except locks.BusyError as busy:
            raise UserError(f"{busy}; wait for it or end it") from None
        held.enter_context(locks.hold_workspace("gc"))
        held.enter_context(scratch.no_trials())
        found = _find(before_s)
        for finding in found:
            size = f"{finding.num_bytes / _MB:.1f} MB" if finding.num_bytes else "-"
            print(f"{finding.what:<44}{finding.number:>7}{size:>14}")
        total = sum(finding.num_bytes for finding in found) / _MB
        if sure:
            for finding in found:
                finding.remove()
            print(f"removed, {total:.1f} MB")
        else:
            print(f"{total:.1f} MB; nothing was removed, `thawline gc --yes` removes it")


def _find(before_s: float) -> list[Finding]:
    checked = params_file.load()
    found = [_files(name, paths) for name, paths in scratch.old(before_s).items()]
    if not address.enabled(checked.tracking.enabled):
        print(
            "tracking is switched off: without MLflow it is not known what registered versions need"
        )
        return found
    from thawline.registry import old_runs
    from thawline.tracking import store

    opened = store.connect(checked.tracking.experiment)
    store.patient()
    needed = old_runs.versions(opened)
    tagged = experiments.tagged_commits()
    stale = old_runs.find(opened, before_s, needed=needed, tagged=tagged)
    size = stale.num_bytes
    runs = Finding("MLflow: runs", len(stale.runs), size, lambda: _forget(opened, stale))
    old = experiments.old(before_s, names=needed.experiments)
    exps = Finding("DVC: experiments", len(old), 0, lambda: experiments.remove(old))
    young = {e.commit for e in experiments.listed()} - {e.commit for e in old}
    held = cache.needed(needed.commits | young, needed.outs)
    return [exps, _cache(before_s, held), runs, *found]


def _cache(before_s: float, held: set[str]) -> Finding:
    """Find unneeded files of DVC's cache, those of experiments that go included."""
    try:
        sizes = cache.sweep(before_s, held, dry=True)
    except cache.SharedCacheError as shared:
        print(shared)
        return Finding("DVC: files of the cache", 0, 0, lambda: None)

    def remove() -> None:
        cache.sweep(before_s, held, dry=False)

    return Finding("DVC: files of the cache", len(sizes), sum(sizes), remove)


def _files(name: str, paths: list[Path]) -> Finding:
    size = sum(map(scratch.size, paths))
    return Finding(f".thawline/{name}", len(paths), size, lambda: scratch.remove(paths))


def _forget(opened: "Store", stale: "Stale") -> None:
    from thawline.registry import old_runs

    if stale.runs and not old_runs.remove(opened, stale):
        print("MLflow: marked as deleted; `mlflow gc` on the server's machine frees its disk")
