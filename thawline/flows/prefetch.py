"""Start `thawline run` while Prefect is still being loaded, for the flow to follow.

Loading takes about as long as a run with nothing to do. Prefect's page shows the first stage a
second earlier.
"""

from collections.abc import Sequence

from thawline.flows import follow, server
from thawline.runtime import workspace

_begun: list[follow.FollowedRun] = []


def begin(targets: Sequence[str], api: str, owner: str) -> None:
    """Start a run if the server answers: without one a flow has to fail before it did anything.

    Args:
        targets: names of stages; all if empty.
        api: address of the server.
        owner: name of the flow's run.
    """
    if server.answers(api):
        _begun.append(follow.FollowedRun(targets, workspace.workspace(), f"flow run {owner}"))


def taken() -> follow.FollowedRun | None:
    """Hand over the run that was started, once; None where there is none."""
    return _begun.pop() if _begun else None


def end() -> None:
    """End the run if nobody took it: the flow never began."""
    if run := taken():
        run.end()
