"""Register the final model as a version in MLflow, once per model: `thawline publish`."""

import base64
import importlib.metadata
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType
from PIL import Image

from thawline.dvc import hashes, lock_entries
from thawline.errors import UserError
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.registry import description, flavors, gate, gate_outcome, restore
from thawline.registry.ships_with import ships_with
from thawline.registry.versions import CHALLENGER, CHECKED_TAG, HASH_TAG
from thawline.runtime import locks, safe_json, workspace
from thawline.runtime.output_paths import INGEST, MANIFEST
from thawline.tracking import address
from thawline.tracking.store import DIGEST, ROLE, Store, connect, patient

MODEL = Path("models/compress")
_REQUIREMENTS = ("mlflow", "numpy", "pandas", "pillow", "onnxruntime")
_INPUT = "image"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Published:
    """Result of `publish`."""

    name: str
    version: str
    new: bool
    """False when this model was registered before."""
    champion: bool
    """True where this version is the champion."""
    verdict: gate.GateVerdict


def publish() -> Published | None:
    """Register the model of models/compress, unless that very model is registered already.

    The version gets the alias `challenger` after it was loaded from the store and has predicted
    once; the gate decides whether it becomes `champion`.

    Returns:
        None with tracking switched off.

    Raises:
        UserError: no model; a model or data other than those evaluated last; a store that cannot
            be used; a model that cannot be loaded or predicts nonsense; another command at work on
            the registry or the models; or a result that DVC recorded with the wrong inputs.
    """
    checked = params_file.load()
    if not address.enabled(checked.tracking.enabled):
        return None
    owner = "thawline publish"
    try:
        with locks.registry(owner), locks.pipeline(owner=owner):
            lock_entries.require()
            with _copied() as model:
                return _publish(checked, model)
    except locks.BusyError as busy:
        raise UserError(f"{busy}; wait for it or end it; nothing was published") from None


@contextmanager
def _copied() -> Iterator[Path]:
    """Copy the model for the block: bare `dvc repro` may make another one meanwhile."""
    for needed in (MODEL / "model.onnx", INGEST / MANIFEST):
        if not needed.is_file():
            raise UserError(f"{needed}: not there; `thawline run` or `dvc pull` makes it")
    with tempfile.TemporaryDirectory(prefix="thawline-publish-") as temporary:
        yield Path(shutil.copytree(MODEL, Path(temporary) / MODEL.name))


def _publish(checked: Params, model: Path) -> Published:
    name, digest = checked.tracking.model_name, hashes.md5(model)
    _check_evaluated(digest)
    store = connect(checked.tracking.experiment)
    patient()
    known = _registered(store, name, digest)
    version = known or _register(store, checked, digest, model)
    if known is None:
        _check(store, version, model)
        store.client.set_registered_model_alias(name, CHALLENGER, version.version)
    verdict = gate.decide(store, checked, version, model)
    parent = _parent(store)
    gate_outcome.write(
        gate_outcome.Outcome.from_verdict(version, digest, verdict).with_reasons(), store, parent
    )
    if parent:
        from thawline.registry import overview  # loads matplotlib

        overview.log_pareto(store, parent)
    champion = verdict.outcome in ("champion", "passed")
    return Published(name, str(version.version), known is None, champion, verdict)


def _check_evaluated(digest: str) -> None:
    """Check that `evaluate` scored this model and these data.

    The gate decides by those scores.
    """
    graph = hashes.Graph(workspace.workspace())
    judged = graph.needed("evaluate").get(MODEL.as_posix())
    if judged is not None and judged != digest:
        raise UserError(f"{MODEL}: not the model that was evaluated last; `thawline run` evaluates")
    if behind := [stage for stage in graph.stages if not graph.current(stage)]:
        raise UserError(
            f"{behind[0]}: ran on other results than the stages before it have now; `thawline run` "
            "makes it anew"
        )


def _registered(store: Store, name: str, digest: str) -> ModelVersion | None:
    """Find the version with this model that passed its check, or None."""
    found = store.client.search_model_versions(
        f"name = '{name}' and tags.`{HASH_TAG}` = '{digest}'"
    )
    return next((v for v in found if v.tags.get(CHECKED_TAG) == "true"), None)


def _register(store: Store, checked: Params, digest: str, model: Path) -> ModelVersion:
    parent = _parent(store)
    mlflow.set_tracking_uri(store.uri)  # log_model knows no client of its own
    mlflow.set_registry_uri(store.uri)
    example = pd.DataFrame({_INPUT: [_example(model)]})
    # mlflow advises on type hints that would change what predict gets, once for each time it loads.
    with (
        ships_with(model) as (modules, files),
        _run(store, parent),
        redirect_stderr(io.StringIO()),
    ):
        info = Model.log(
            None,
            flavors,
            name="model",
            python_model=str(_HERE / "served_model.py"),
            artifacts={name: str(path) for name, path in files.items()},
            code_paths=modules,
            signature=_signature(model),
            input_example=example,
            pip_requirements=_requirements(),
        )
    return _create_version(store, checked.tracking.model_name, info, digest, parent)


def _create_version(
    store: Store, name: str, info: Any, digest: str, parent: str | None
) -> ModelVersion:
    try:
        store.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {HASH_TAG: digest, "thawline.parent_run_id": parent or ""}
    graph = hashes.Graph(workspace.workspace())
    outs = [graph.recorded(stage) for stage in graph.stages]
    # One tag: the registry's page shows every tag of a version in one column.
    tags["thawline.outs"] = json.dumps({path: md5 for found in outs for path, md5 in found.items()})
    known = store.client.get_run(parent).data.tags if parent else {}
    tags |= {key: known[key] for key in (restore.COMMIT, restore.DIRTY) if key in known}
    text = description.from_card()
    return store.client.create_model_version(
        name, info.model_uri, parent, tags=tags, description=text, model_id=info.model_id
    )


def _check(store: Store, version: ModelVersion, model: Path) -> None:
    """Load the version from the store and predict: MLflow only warns when that fails."""
    name, classes = f"models:/{version.name}/{version.version}", _card(model)["classes"]
    try:
        with redirect_stderr(io.StringIO()):
            answer = mlflow.pyfunc.load_model(name).predict(
                pd.DataFrame({_INPUT: [_example(model)]})
            )
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{name}: cannot predict ({reason}); no alias was moved") from None
    values = answer.to_numpy(dtype=float)
    if list(answer.columns) != classes or values.shape != (1, len(classes)):
        raise UserError(f"{name}: answered {list(answer.columns)}; expected {classes}")
    if not (np.isfinite(values).all() and abs(values.sum() - 1) < 1e-3):
        raise UserError(f"{name}: its probabilities sum to {values.sum():g}; no alias was moved")
    store.client.set_model_version_tag(version.name, version.version, CHECKED_TAG, "true")


def _parent(store: Store) -> str | None:
    """Find the run that the outputs in this workspace come from, or None."""
    digest = hashes.Graph(workspace.workspace()).digest()
    run = store.newest({ROLE: "pipeline", DIGEST: digest}) if digest else None
    return run.info.run_id if run else None


@contextmanager
def _run(store: Store, parent: str | None) -> Iterator[None]:
    """Open the parent's run, keeping its status and end time, or else a new run."""
    if parent is None:
        mlflow.set_experiment(experiment_id=store.experiment_id)
        with mlflow.start_run(run_name="publish", tags={ROLE: "publish"}):
            yield
        return
    before = store.client.get_run(parent).info
    try:
        with mlflow.start_run(run_id=parent):
            yield
    finally:
        store.client.set_terminated(parent, before.status, before.end_time)


def _signature(model: Path) -> ModelSignature:
    """Build the signature: input of any type, which the model checks, one column per class.

    Text is base64, bytes are taken as they are.
    """
    outputs = Schema([ColSpec("double", name) for name in _card(model)["classes"]])
    return ModelSignature(Schema([ColSpec(AnyType(), _INPUT)]), outputs)


def _example(model: Path) -> str:
    """Make an example input: a grey PNG of the network's size as base64 text."""
    size_px = _card(model)["image_size_px"]
    buffer = io.BytesIO()
    Image.new("RGB", (size_px, size_px), (127, 127, 127)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _requirements() -> list[str]:
    return [f"{name}=={importlib.metadata.version(name)}" for name in _REQUIREMENTS]


def _card(model: Path) -> dict[str, Any]:
    return dict(safe_json.loads((model / "model.json").read_text(encoding="utf-8")))
