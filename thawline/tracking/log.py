"""`thawline log`: send what waits, close what was left open, record what DVC restored by itself."""

import subprocess
import sys
import time

from thawline.dvc.hashes import Graph
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.runtime import execution, workspace
from thawline.tracking import address, closing, reconcile
from thawline.tracking.store import DIGEST, ROLE, Store, connect, patient


def log_pending() -> int:
    """Bring the store up to date; safe to repeat.

    Returns:
        0, or 1 when something still could not be sent.

    Raises:
        UserError: params.yaml is wrong, or the store cannot be used.
    """
    checked = params_file.load()
    if not address.enabled(checked.tracking.enabled):
        print("tracking is switched off")
        return 0
    store = connect(checked.tracking.experiment)
    patient()
    sent, problems = reconcile.send_waiting(store)
    closed = reconcile.reconcile(store)
    restored = _record_restored(store, checked)
    for count, text in (
        (sent, "pending record(s) sent"),
        (closed, "interrupted run(s) closed"),
        (restored, "restored run(s) recorded"),
    ):
        if count:
            print(f"{count} {text}")
    for problem in problems:
        print(f"tracking: {problem}", file=sys.stderr)
    if not (sent or closed or restored or problems):
        print("nothing to log: everything is recorded")
    return 1 if problems else 0


def _record_restored(store: Store, checked: Params) -> int:
    """Record a parent for a workspace whose outputs all came from DVC's cache: no stage ran."""
    digest = Graph(workspace.workspace()).digest()
    path = closing.remembered_path()
    try:
        known = path.read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):  # none, or a damaged one
        known = None
    if digest is None or digest == known or not _up_to_date():
        return 0
    if known is None:
        # A fresh clone with pulled outputs: somebody else's run, or one from before this was noted.
        closing.remember(digest if store.newest({ROLE: "pipeline", DIGEST: digest}) else None)
        return 0
    current = execution.launch()
    state = execution.read(current.id)
    assert state is not None
    fates = dict.fromkeys(Graph(workspace.workspace()).stages, "restored")
    event = closing.event(state, "FINISHED", observed=fates)
    now = int(time.time() * 1000)
    reconcile.send(closing.journal(current, event, params_file.flatten(checked), now))
    return 1


def _up_to_date() -> bool:
    """Tell whether outputs, code and params are those of dvc.lock; else they stand for no run."""
    command = [sys.executable, "-m", "dvc", "status", "--quiet"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
