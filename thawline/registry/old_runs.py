"""Find runs that nothing needs any more, and what must stay for registered versions.

A run stays if it is young or running, if a registered version or the workspace's results come from
it, if its commit has a tag of git's, or if a run that stays names it, nests in it or holds it.
"""

import io
from collections.abc import Mapping, Set
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from mlflow.cli import gc
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.utils.file_utils import local_file_uri_to_path

from thawline.dvc.hashes import Graph
from thawline.registry.restore import COMMIT
from thawline.runtime import safe_json, workspace
from thawline.tracking import address
from thawline.tracking.store import DIGEST, PARENT, ROLE, Store

_PAGE = 500
_PRODUCER = ".run_id"
"""End of the tags that name the run which made a stage's output."""


@dataclass(frozen=True)
class Versions:
    """Sources of the registered versions of all models.

    Attributes:
        commits: commits of git.
        outs: path -> hash of DVC's outputs, per version.
        experiments: experiments of DVC.
    """

    runs: frozenset[str]
    models: frozenset[str]
    commits: frozenset[str]
    outs: list[Mapping[str, str]]
    experiments: frozenset[str]


@dataclass(frozen=True)
class Stale:
    """Runs and models to remove, with the bytes of their artifacts as far as they lie here."""

    runs: list[str]
    models: list[str]
    num_bytes: int


def versions(store: Store) -> Versions:
    """Collect what all registered models of the store come from, whatever their aliases."""
    found = _versions(store)
    runs = {run for v in found for run in (v.run_id, v.tags.get("thawline.parent_run_id")) if run}
    tags = [store.client.get_run(run).data.tags for run in runs if store.exists(run)]
    return Versions(
        runs=frozenset(runs),
        models=frozenset(v.source.removeprefix("models:/") for v in found if v.source),
        commits=frozenset(v.tags[COMMIT] for v in found if COMMIT in v.tags),
        outs=[safe_json.loads(v.tags["thawline.outs"]) for v in found if "thawline.outs" in v.tags],
        experiments=frozenset(t["dvc.experiment"] for t in tags if "dvc.experiment" in t),
    )


def find(store: Store, before_s: float, *, needed: Versions, tagged: Set[str]) -> Stale:
    """Find the runs and models that may be removed.

    Args:
        store: the MLflow store.
        before_s: seconds since the epoch; a run that ended later stays.
        needed: what registered versions come from.
        tagged: commits with a tag of git's.
    """
    runs = {run.info.run_id: run for run in _runs(store)}
    digest = Graph(workspace.root()).digest()
    kept = {
        name
        for name, run in runs.items()
        if _age_ms(run) >= before_s * 1000
        or name in needed.runs
        or run.info.status == "RUNNING"
        or run.data.tags.get(ROLE) == "promotion"
        or run.data.tags.get(COMMIT) in tagged
        or (digest and run.data.tags.get(DIGEST) == digest)
    }
    models = _models(store)
    kept |= {run for model, run, _ in models if model in needed.models}
    stale = sorted(runs.keys() - _with_relatives(runs, kept))
    models = [m for m in models if m[1] in stale]
    places = [runs[name].info.artifact_uri for name in stale] + [place for _, _, place in models]
    return Stale(stale, [name for name, _, _ in models], sum(map(_size, places)))


def remove(store: Store, stale: Stale) -> bool:
    """Delete runs and models for good.

    Returns:
        False where the store is a server: there they are only marked as deleted, and `mlflow gc`
        on its machine frees the disk.
    """
    for run in stale.runs:
        store.client.delete_run(run)
    for model in stale.models:
        store.client.delete_logged_model(model)
    if address.is_server(store.uri):
        return False
    for kind, names in (("--run-ids", stale.runs), ("--logged-model-ids", stale.models)):
        if names:
            # In this process: another one's command line would show the password of a database.
            words = [f"--backend-store-uri={store.uri}", f"--tracking-uri={store.uri}"]
            with redirect_stdout(io.StringIO()):
                gc.main([*words, kind, ",".join(names)], standalone_mode=False)
    return True


def _with_relatives(runs: Mapping[str, Run], kept: set[str]) -> set[str]:
    """Add the runs that made their outputs, their parents and their children."""
    children: dict[str, list[str]] = {}
    for name, run in runs.items():
        children.setdefault(run.data.tags.get(PARENT, ""), []).append(name)
    seen: set[str] = set()
    waiting = list(kept)
    while waiting:
        name = waiting.pop()
        if name in seen or name not in runs:
            continue
        seen.add(name)
        tags = runs[name].data.tags
        waiting += [value for key, value in tags.items() if key.endswith(_PRODUCER)]
        waiting += [tags.get(PARENT, ""), *children.get(name, [])]
    return seen


def _age_ms(run: Run) -> int:
    return int(run.info.end_time or run.info.start_time)


def _runs(store: Store) -> list[Run]:
    found: list[Run] = []
    token = None
    while True:
        page = store.client.search_runs([store.experiment_id], max_results=_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _versions(store: Store) -> list[ModelVersion]:
    found: list[ModelVersion] = []
    token = None
    while True:
        page = store.client.search_model_versions(max_results=_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _models(store: Store) -> list[tuple[str, str, str]]:
    """List id, run and location of the experiment's logged models."""
    found: list[tuple[str, str, str]] = []
    token = None
    while True:
        page = store.client.search_logged_models([store.experiment_id], page_token=token)
        found += [(m.model_id, str(m.source_run_id), m.artifact_location) for m in page]
        token = page.token
        if not token:
            return found


def _size(place: str) -> int:
    if "://" in place and not place.startswith("file:"):
        return 0
    folder = Path(local_file_uri_to_path(place))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
