"""Find versions of the registered model, their aliases and their files."""

import shutil
import tempfile
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from thawline.dvc import hashes
from thawline.errors import UserError
from thawline.params import params_file
from thawline.registry.training_fingerprint import TrainingFingerprint
from thawline.runtime import workspace
from thawline.runtime.progress import log
from thawline.tracking.store import Store, connect, patient, reason

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
HASH_TAG = "thawline.model_hash"
CHECKED_TAG = "thawline.checked"


def fetch(named: str) -> Path:
    """Return a folder with a version's files, kept in the project's scratch by the model's hash.

    Args:
        named: an alias, or a version's number.

    Raises:
        UserError: there is no such version, or its files cannot be fetched.
    """
    checked = params_file.load()
    store = connect(checked.tracking.experiment)
    patient()
    return files(store, find(store, checked.tracking.model_name, named))


def find(store: Store, name: str, named: str) -> ModelVersion:
    """Find the version that an alias or a number stands for.

    Raises:
        UserError: there is none; the message lists those that there are.
    """
    try:
        if named.isdecimal():
            return store.client.get_model_version(name, named)
        return store.client.get_model_version_by_alias(name, named)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise UserError(f"{name} {named}: {reason(error, store.uri)}") from None
    known = sorted(int(v.version) for v in store.client.search_model_versions(f"name = '{name}'"))
    listed = ", ".join(map(str, known)) or "none, `thawline publish` makes one"
    given = ", ".join(f"{alias} ({v})" for alias, v in sorted(aliases(store, name).items()))
    raise UserError(
        f"{named!r} is not a version of {name!r}; there are: {listed}; aliases: {given or 'none'}"
    )


def aliases(store: Store, name: str) -> dict[str, str]:
    """Map aliases to versions; empty for a model that was never registered."""
    try:
        found = store.client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return {alias: str(version) for alias, version in found.items()}


def seen(store: Store, version: ModelVersion, file: str) -> TrainingFingerprint | None:
    """Read what a version was trained on, or tested on; None where it does not record it.

    Raises:
        UserError: it cannot be fetched, or is damaged.
    """
    stored = f"models:/{version.name}/{version.version}/artifacts"
    _point_at(store)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            listed = mlflow.artifacts.list_artifacts(stored)
            if file not in {Path(found.path).name for found in listed}:
                return None
            found = mlflow.artifacts.download_artifacts(f"{stored}/{file}", dst_path=scratch)
        except Exception as error:  # each kind of store raises its own
            raise _not_had(store, version, error) from None
        return TrainingFingerprint.read(Path(found))


def files(store: Store, version: ModelVersion) -> Path:
    """Return the folder of a version's files: model.onnx, model.json and others.

    Raises:
        UserError: they cannot be fetched.
    """
    digest = version.tags.get(HASH_TAG, "").removesuffix(".dir")
    folder = workspace.scratch() / "registered" / f"{version.version}-{digest or 'unknown'}"
    whole = folder.with_name(f"{folder.name}.md5")
    if folder.is_dir():
        if _read_text(whole) == hashes.md5(folder):
            return folder
        log(f"{folder}: incomplete; it is fetched again")
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _point_at(store)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        try:
            found = mlflow.artifacts.download_artifacts(
                f"models:/{version.name}/{version.version}/artifacts", dst_path=scratch
            )
        except Exception as error:  # each kind of store raises its own
            raise _not_had(store, version, error) from None
        digest, part = hashes.md5(Path(found)), Path(scratch) / whole.name
        shutil.move(found, folder)
        part.write_text(digest, encoding="utf-8")
        part.replace(whole)
    return folder


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _point_at(store: Store) -> None:
    """Point mlflow.artifacts, which has no client argument, at the store."""
    mlflow.set_tracking_uri(store.uri)
    mlflow.set_registry_uri(store.uri)


def _not_had(store: Store, version: ModelVersion, error: Exception) -> UserError:
    why = reason(error, store.uri)
    return UserError(f"{version.name} {version.version}: its files cannot be fetched: {why}")
