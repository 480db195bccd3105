"""Search by Optuna for high accuracy, low latency and small size; several workers, resumable.

Optuna prunes no search with several objectives, so the rule is ours: a trial whose score after the
stage before the last is below the median of those before it ends there.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from thawline.errors import UserError
from thawline.flows import trial
from thawline.flows.snapshot import Snapshot
from thawline.flows.timings import timed
from thawline.flows.trial_request import TrialRequest
from thawline.runtime import safe_json, workspace
from thawline.studies import plan
from thawline.studies.definition import STAGES, Definition, Interval
from thawline.studies.plan import Contender, Study
from thawline.studies.records import TrialRecord, code

_BEFORE_PRUNING = 5
_EARLY, _KEYS = "early", "keys"


def run(
    planned: Study,
    common: dict[str, Any],
    deadline: float | None,
    threads: int,
    storage: str | None,
) -> list[TrialRecord]:
    """Propose and run trials until the search has as many as its file asks for.

    Args:
        planned: the study.
        common: fields of every trial request: base, code, env, again.
        deadline: no trial starts later, seconds since the epoch; None for no limit.
        threads: trials side by side.
        storage: a database URL; a SQLite file in the project's scratch by default.

    Returns:
        The records of this search, of earlier runs too.

    Raises:
        UserError: the storage cannot be used.
    """
    definition = planned.definition
    assert definition.search is not None
    where = storage or _own_storage()
    name = _name(planned, common["base"])
    search = open_search(name, where)
    if storage is None:  # nobody else uses it: what is left open was killed
        import optuna

        for left_open in (t for t in search.trials if not t.state.is_finished()):
            search.tell(left_open.number, state=optuna.trial.TrialState.FAIL)
    left = definition.search.trials - sum(t.state.is_finished() for t in search.trials)
    same = (planned, name, where, common, deadline, threads)
    futures = [step.with_options(task_run_name=f"step {k}").submit(*same) for k in range(left)]
    for future in futures:
        future.wait()
    keys = [key for t in search.trials for key in t.user_attrs.get(_KEYS, [])]
    found = [TrialRecord.read(planned.name, key) for key in dict.fromkeys(keys)]
    return [record for record in found if record is not None]


def open_search(name: str, storage: str, seed: int = 0) -> Any:
    """Open Optuna's study, creating it if it does not exist.

    Args:
        name: name of the study.
        storage: a database URL.
        seed: seed of the sampler; with equal ones two workers would propose the same.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lock = workspace.scratch() / "locks" / "search.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), FileLock(lock):  # a fresh database breaks if two make it
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        try:
            return optuna.create_study(
                study_name=name,
                storage=storage,
                sampler=sampler,
                directions=["maximize", "minimize", "minimize"],
                load_if_exists=True,
            )
        except Exception as error:
            place = storage.rpartition("@")[2]
            raise UserError(f"--storage: {place} cannot be used: {type(error).__name__}") from None


@task(cache_policy=NO_CACHE, persist_result=False)
def step(
    planned: Study,
    name: str,
    storage: str,
    common: dict[str, Any],
    deadline: float | None,
    threads: int,
) -> State[Any]:
    """Run one proposal with all seeds of the study."""
    if trial.spent(deadline):
        return Completed(name="Not started", message="the budget was spent")
    import optuna

    definition, log = planned.definition, get_run_logger()
    search = open_search(name, storage)
    search = open_search(name, storage, seed=len(search.trials))
    asked = search.ask()
    values = propose(asked, definition)
    contender = Contender(
        label=f"{asked.number}: {settings(values)}", overrides=definition.base | values
    )
    orders = [
        TrialRequest(
            trial=plan.trial(planned.name, contender, seed, threads),
            until=definition.until,
            keep=seed == definition.seeds[0],
            **common,
        )
        for seed in definition.seeds
    ]
    asked.set_user_attr(_KEYS, [order.key for order in orders])
    log.info(json.dumps(values))
    judge = Median(search, asked, definition)
    records = [trial.run(order, log.info, judge) for order in orders]
    states = {record.state for record in records}
    if states != {"complete"}:
        pruned = "failed" not in states
        state = optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.FAIL
        search.tell(asked, state=state)
        message = next(r.message for r in records if r.state != "complete")
        return Completed(name="Pruned", message=message) if pruned else Failed(message=message)
    search.tell(asked, objectives(timed(records, common["base"], common["env"]), definition))
    return Completed(message=contender.label)


def objectives(records: list[TrialRecord], definition: Definition) -> list[float]:
    """Compute the objectives: mean score over the seeds, latency in ms, size in MB."""
    costs: dict[str, float] = {}
    for record in records:
        costs |= {**record.values, **record.costs}
    score = float(np.mean([record.values[f"val_{definition.score}"] for record in records]))
    return [score, costs["latency_ms"], costs["size_mb"]]


def settings(values: Mapping[str, Any]) -> str:
    """Format the values of a trial as its name: the last part of each key, and its value."""
    shown = {
        k.rpartition(".")[2]: f"{v:.3g}" if isinstance(v, float) else v for k, v in values.items()
    }
    return ", ".join(f"{key} {value}" for key, value in shown.items())


def propose(asked: Any, definition: Definition) -> dict[str, Any]:
    """Propose values for the keys of the space, by an Optuna trial."""
    assert definition.search is not None
    found: dict[str, Any] = {}
    for key, space in definition.search.space.items():
        if not isinstance(space, Interval):
            # By number: Optuna stores plain values only, and a choice may be a list.
            found[key] = space[asked.suggest_categorical(key, list(range(len(space))))]
        elif isinstance(space.low, int) and isinstance(space.high, int):
            found[key] = asked.suggest_int(key, space.low, space.high, log=space.log)
        else:
            found[key] = asked.suggest_float(key, space.low, space.high, log=space.log)
    return found


class Median:
    """Pruning rule: a trial that is below the median before its last stage ends there."""

    def __init__(self, search: Any, asked: Any, definition: Definition) -> None:
        self._search, self._asked, self._definition = search, asked, definition

    def __call__(self, tree: Path) -> str | None:
        score = self._early(tree)
        if score is None:
            return None
        others = [t.user_attrs[_EARLY] for t in self._search.trials if _EARLY in t.user_attrs]
        self._asked.set_user_attr(_EARLY, score)
        median = float(np.median(others)) if others else 0.0
        if len(others) >= _BEFORE_PRUNING and score < median:
            return f"pruned: {score:.4f} before the last stage, the median is {median:.4f}"
        return None

    def _early(self, tree: Path) -> float | None:
        place = STAGES.index(self._definition.until)
        path = tree / "reports" / STAGES[place - 1] / "metrics.json"
        if place == 0 or not path.is_file():
            return None
        return float(safe_json.loads(path.read_text(encoding="utf-8"))["val_macro_f1"])


def _name(planned: Study, base: Snapshot) -> str:
    """Name a search: equal in all clones, different for other code, params or space."""
    definition = planned.definition
    digest = code(base.folder, base.params(), definition.until, inputs=False)
    text = f"{digest} {definition.model_dump_json()}"
    return f"{planned.name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _own_storage() -> str:
    path = workspace.scratch() / "studies" / "optuna.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"
