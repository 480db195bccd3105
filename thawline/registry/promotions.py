"""Move the alias `champion`, and log every move.

Each move is a run of an experiment of its own, `<experiment>-promotions`: nothing is rewritten, so
the log only grows.
"""

import getpass
import time
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion

from thawline.errors import UserError
from thawline.params import params_file
from thawline.registry import versions
from thawline.registry.versions import CHAMPION, CHECKED_TAG, PREVIOUS
from thawline.runtime import locks
from thawline.tracking.store import ROLE, SOURCE_TYPE, Store, connect, patient

SET_ASIDE_TAG = "thawline.set_aside"
"""Tag with the reason why a person replaced this version; the gate does not bring it back."""
GATE = "gate"


@dataclass(frozen=True)
class Move:
    """A move of the alias `champion`."""

    name: str
    version: str
    before: str | None
    """The champion until now, which is `previous` from now on."""


def promote(version: str, reason: str) -> Move:
    """Make a version the champion by hand.

    Args:
        version: its number, or an alias.
        reason: why, for the log.

    Raises:
        UserError: there is no such version, it never passed its check, or it is the champion.
    """
    checked = params_file.load()
    store = connect(checked.tracking.experiment)
    patient()
    name = checked.tracking.model_name
    with locks.registry("thawline promote"):
        return _by_hand(store, name, versions.find(store, name, version), reason)


def rollback(reason: str) -> Move:
    """Make the champion's predecessor the champion; a second time undoes the first.

    Raises:
        UserError: there is no predecessor.
    """
    checked = params_file.load()
    store = connect(checked.tracking.experiment)
    patient()
    name = checked.tracking.model_name
    with locks.registry("thawline rollback"):
        if PREVIOUS not in versions.aliases(store, name):
            raise UserError(f"{name}: there is no champion before this one; nothing was moved")
        return _by_hand(store, name, versions.find(store, name, PREVIOUS), reason)


def _by_hand(store: Store, name: str, version: ModelVersion, reason: str) -> Move:
    if version.tags.get(CHECKED_TAG) != "true":
        raise UserError(f"{name} {version.version}: never passed its check; nothing was moved")
    champion = versions.aliases(store, name).get(CHAMPION)
    if champion == str(version.version):
        raise UserError(f"{name} {version.version}: is the champion already; nothing was moved")
    who, client = _user(), store.client
    if champion:
        client.set_model_version_tag(name, champion, SET_ASIDE_TAG, f"{who}: {reason}")
    if SET_ASIDE_TAG in version.tags:
        client.delete_model_version_tag(name, version.version, SET_ASIDE_TAG)
    return move(store, name, str(version.version), by=who, reason=reason)


def move(
    store: Store,
    name: str,
    version: str,
    *,
    by: str,
    reason: str,
    metrics: Mapping[str, float] | None = None,
) -> Move:
    """Set the aliases `champion` and `previous`, and log the move.

    The log comes first: a move that is written but was not made is seen in the registry, one that
    was made but not written would be lost.

    Args:
        store: the MLflow store.
        name: name of the registered model.
        version: number of the new champion.
        by: GATE, or who did it.
        reason: why, for the log.
        metrics: figures of the comparison, for the log.
    """
    before = versions.aliases(store, name).get(CHAMPION)
    log = connect(f"{store.client.get_experiment(store.experiment_id).name}-promotions")
    tags = {ROLE: "promotion", SOURCE_TYPE: "LOCAL", "mlflow.user": by, "model": name}
    tags |= {"from": before or "none", "to": version, "by": by, "reason": reason or "none given"}
    started = int(time.time() * 1000)
    run = log.client.create_run(
        log.experiment_id, started, tags, run_name=f"{before or 'none'} to {version}"
    )
    for key, value in (metrics or {}).items():
        log.client.log_metric(run.info.run_id, key, value)
    if before:
        store.client.set_registered_model_alias(name, PREVIOUS, before)
    store.client.set_registered_model_alias(name, CHAMPION, version)
    log.client.set_terminated(run.info.run_id, "FINISHED")
    return Move(name, version, before)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
