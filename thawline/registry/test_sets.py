"""Count how often a test set was used, in tags of the registered model, one per set.

The more models were tried on a test set, the likelier a lucky one wins.
"""

import hashlib
import json

from mlflow.exceptions import MlflowException

from thawline.dataset.manifest import Manifest
from thawline.tracking.store import Store

_LOOKS = "thawline.looks."


def digest(manifest: Manifest) -> str:
    """Hash pixels and labels of the test rows, in any order; 16 hexadecimal digits."""
    rows = manifest.rows("test")
    pairs = sorted((manifest.sha256[row], manifest.classes[manifest.labels[row]]) for row in rows)
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]


def looks(store: Store, model: str, test_set: str) -> int:
    """Count the versions of a registered model that the gate has scored on a test set."""
    try:
        tags = store.client.get_registered_model(model).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return 0
    return int(tags.get(f"{_LOOKS}{test_set}", "0"))


def count_look(store: Store, model: str, test_set: str) -> int:
    """Count one more look; return the new number."""
    count = looks(store, model, test_set) + 1
    store.client.set_registered_model_tag(model, f"{_LOOKS}{test_set}", str(count))
    return count
