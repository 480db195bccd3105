"""Show how worn the test set is, and draw a new one from unseen data: `thawline holdout`."""

from dataclasses import dataclass

import numpy as np

from thawline.dataset.manifest import Manifest
from thawline.dvc import hashes
from thawline.errors import UserError
from thawline.ingest.splits import holdout, holdout_draw
from thawline.ingest.splits.split import UNUSED
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.registry import test_sets, versions
from thawline.registry.training_fingerprint import FILE as SEEN
from thawline.registry.training_fingerprint import TESTED, TrainingFingerprint
from thawline.runtime import locks, workspace
from thawline.runtime.output_paths import HOLDOUT, INGEST, MANIFEST
from thawline.tracking.store import Store, connect, patient

_FIRST_TRAINING = "transfer_learn"


@dataclass(frozen=True, kw_only=True)
class State:
    """State of the test set.

    Attributes:
        num_test: number of test images now.
        looks: number of models that the gate has scored on them.
        num_fresh: number of images here that no registered model, nor the one of this workspace,
            was trained, tuned or tested on.
    """

    num_test: int
    looks: int
    num_fresh: int


def look() -> State:
    """Return the state of the test set, without changing anything.

    Raises:
        UserError: ingest has not run, the store cannot be used, or a version does not record what
            it has seen.
    """
    checked, manifest, store = _open()
    fresh = _fresh(store, checked, manifest)
    name = checked.tracking.model_name
    looks = test_sets.looks(store, name, test_sets.digest(manifest))
    return State(num_test=len(manifest.rows("test")), looks=looks, num_fresh=int(fresh.sum()))


def refresh() -> int:
    """Write data/holdout.csv, which ingest then uses as the test set.

    Returns:
        Number of images in it.

    Raises:
        UserError: as `look`; or too few images that no model has seen.
    """
    owner = "thawline holdout"
    try:
        with locks.registry(owner), locks.pipeline(owner=owner):
            checked, manifest, store = _open()
            fresh, least = _fresh(store, checked, manifest), checked.gate.min_rows
            rows = holdout_draw.draw(manifest, fresh, min_rows=least, seed=checked.seed)
            holdout.write(HOLDOUT, [(manifest.names[row], manifest.sha256[row]) for row in rows])
    except locks.BusyError as busy:
        raise UserError(f"{busy}; wait for it or end it; nothing was drawn") from None
    return len(rows)


def _open() -> tuple[Params, Manifest, Store]:
    checked = params_file.load()
    if not (INGEST / MANIFEST).is_file():
        raise UserError(f"{INGEST}: holds no data set yet; run `dvc repro ingest`")
    store = connect(checked.tracking.experiment)
    patient()
    return checked, Manifest.read(INGEST), store


def _fresh(store: Store, checked: Params, manifest: Manifest) -> np.ndarray:
    """Find the rows that may become test rows, bool (N,); a group with a seen row is seen.

    What a source or a rule has left out of all splits stays out.
    """
    fresh: np.ndarray = manifest.splits != UNUSED
    rows = np.arange(len(manifest))
    known = []
    if _trained_here():
        known.append(TrainingFingerprint.from_manifest(manifest, ("train", "val", "test")))
    name = checked.tracking.model_name
    for version in store.client.search_model_versions(f"name = '{name}'"):
        seen = versions.seen(store, version, SEEN)
        if seen is None:
            raise UserError(
                f"{name} {version.version}: has no record of what it was trained on; nothing is "
                "known to be unseen by it as long as it is registered"
            )
        # Versions of before do not say what they were tested on: then all that is tested now.
        tested = versions.seen(store, version, TESTED) or TrainingFingerprint.from_manifest(
            manifest, ("test",)
        )
        known += [seen, tested]
    for seen in known:
        fresh &= ~seen.knows(manifest, rows)
    return fresh


def _trained_here() -> bool:
    """Return True where the workspace's models were trained on the current data set."""
    graph = hashes.Graph(workspace.workspace())
    return bool(graph.recorded(_FIRST_TRAINING)) and graph.current(_FIRST_TRAINING)
