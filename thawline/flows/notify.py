"""Notify somebody how a flow ended: through a webhook, or a notification block of Prefect's."""

import json
import urllib.request
from typing import Any

from prefect import Flow, get_run_logger
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State

from thawline.flows import private

_TIMEOUT_S = 10.0
_SILENT = ("Nothing to do", "Skipped")


def tell(flow: Flow[..., Any], run: FlowRun, state: State[Any]) -> None:
    """Send a flow's state to the target in `private.NOTIFY`; a failure to do so is only logged.

    The target is an http(s) address, which receives JSON with flow, run, state and message, or the
    name of a saved block, `slack-webhook/mine`. That there was nothing to do is not sent.
    """
    target = private.kept(private.NOTIFY)
    if not target or state.name in _SILENT:
        return
    try:
        if target.startswith(("http://", "https://")):
            _post(target, flow.name, run.name, state)
        else:
            block: Any = Block.load(target)
            block.notify(state.message or state.name or "", f"{flow.name}: {state.name}")
    except Exception as error:
        get_run_logger().warning("the notification failed: %s", error)


HOOKS: dict[str, Any] = {
    f"on_{event}": [tell] for event in ("completion", "failure", "crashed", "cancellation")
}


def _post(address: str, flow: str, run: str, state: State[Any]) -> None:
    body = {"flow": flow, "run": run, "state": state.name, "message": state.message}
    request = urllib.request.Request(
        address, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
        pass
