"""Opening the MLflow store: the only place that makes a client."""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Read by mlflow at import and at each request. Unset, it waits two minutes and retries seven times.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.pop("MLFLOW_RUN_ID", None)  # mlflow would take it for the parent's and write over it

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException

from thawline.errors import UserError
from thawline.runtime import workspace
from thawline.tracking import address, relocate, schema

PARAM_LENGTH = 6000
"""MLflow's limit for the value of a param, characters."""
TAG_LENGTH = 5000
"""Below MLflow's limit of 8000 for the value of a tag."""
ROLE, STAGE, OUTS, DIGEST = "thawline.role", "thawline.stage", "thawline.outs", "thawline.digest"
PARENT = "mlflow.parentRunId"
SOURCE_TYPE = "mlflow.source.type"
_OLDER = "out-of-date database schema"
"""In MLflow's words."""
_KNOWN = (
    "Connection refused",
    "Name or service not known",
    "timed out",
    "readonly database",
    "disk is full",
    "database is locked",
    "unable to open database file",
)

for name in ("mlflow", "alembic", "urllib3"):
    logging.getLogger(name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module=r"mlflow\..*")


@dataclass(frozen=True)
class Store:
    """A client that answered, and the experiment's id."""

    client: MlflowClient
    experiment_id: str
    uri: str

    def newest(self, tags: Mapping[str, str]) -> Run | None:
        """Find the newest run of the experiment that carries the tags."""
        terms = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        found = self.client.search_runs(
            [self.experiment_id],
            filter_string=" and ".join(terms),
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
        return found[0] if found else None

    def children(self, run_id: str) -> list[Run]:
        found = self.client.search_runs(
            [self.experiment_id], filter_string=f"tags.`{PARENT}` = '{run_id}'", max_results=1000
        )
        return list(found)

    def exists(self, run_id: str | None) -> bool:
        """Tell whether the store answers and has the run, not deleted."""
        if not run_id:
            return False
        try:
            return bool(self.client.get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise


def connect(experiment: str) -> Store:
    """Open the store at `address.uri()` and find or make the experiment.

    Raises:
        UserError: no answer within a few seconds, a store of another schema, a read-only or broken
            one, or a deleted experiment. The message holds no credentials.
    """
    uri = address.uri()
    try:
        with _first_use(uri):
            if address.is_sqlite(uri) and schema.is_older(address.database(uri)):
                raise MlflowException(_OLDER)
            client = MlflowClient(uri, registry_uri=uri)
            found = client.get_experiment_by_name(experiment)
            if found:
                relocate.follow(uri, found.artifact_location)
            identifier = found.experiment_id if found else _create(client, uri, experiment)
    except Exception as error:
        raise UserError(unusable(uri, error)) from None
    if found and found.lifecycle_stage == "deleted":
        raise UserError(
            f"tracking.experiment: {experiment!r} was deleted in MLflow; {_restore(found)}"
        )
    return Store(client, identifier, uri)


def patient() -> None:
    """Longer time-outs, once the store has answered: artifacts take their time."""
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "10"


@contextmanager
def _first_use(uri: str) -> Iterator[None]:
    """Open a new store alone: processes that do so at the same time break a SQLite file."""
    if not address.is_sqlite(uri):
        yield
        return
    database = address.database(uri)
    inside = database.parent == workspace.root()
    lock = workspace.scratch() / "store.lock" if inside else database.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock, timeout=180):
        yield


_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's pages show runs and models; new experiments open on pages for language models."""


def _create(client: MlflowClient, uri: str, experiment: str) -> str:
    place = None if address.is_server(uri) else address.artifacts().as_uri()
    try:
        return str(client.create_experiment(experiment, artifact_location=place, tags=_KIND))
    except MlflowException:
        found = client.get_experiment_by_name(experiment)  # made by somebody else meanwhile
        if found is None:
            raise
        return str(found.experiment_id)


def _restore(found: Experiment) -> str:
    command = f"mlflow experiments restore -x {found.experiment_id}"
    return f"`{command}` brings it back, or choose another name"


def unusable(uri: str, error: Exception) -> str:
    """One line: which store, why, and what to do."""
    place = address.shown(uri)
    if _OLDER in str(error):
        return (
            f"MLFLOW_TRACKING_URI: {place} was made by another version of MLflow; "
            f"make a copy of it, then `mlflow db upgrade '{place}'`"
        )
    return (
        f"MLFLOW_TRACKING_URI: {place} cannot be used ({reason(error, uri)}); "
        f"start or repair it, or switch tracking off: {address.HOW_TO_SWITCH_OFF}"
    )


def reason(error: BaseException, uri: str = "") -> str:
    """Say in few words what went wrong, without the credentials of the address."""
    text = " ".join(str(error).split())
    for phrase in _KNOWN:
        if phrase.lower() in text.lower():
            return phrase.lower()
    if uri:
        text = text.replace(uri, address.shown(uri))
    return text.split("[SQL:")[0].strip()[:200] or type(error).__name__


def as_text(value: Any, limit: int = PARAM_LENGTH) -> str:
    """Spell a value as params.yaml would, cut to the limit."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def chunks(values: Mapping[str, Any], size: int) -> Iterator[dict[str, Any]]:
    """Cut the mapping into pieces that fit one request."""
    items = list(values.items())
    for start in range(0, len(items), size):
        yield dict(items[start : start + size])
