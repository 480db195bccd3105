"""`thawline run` begun while Prefect is still being loaded, for the flow to follow.

Loading takes about as long as a run with nothing to do. Prefect's page shows the first stage a
second shorter for it.
"""

from collections.abc import Sequence

from thawline.flows import follow, server
from thawline.runtime import workspace

_begun: list[follow.FollowedRun] = []


def begin(targets: Sequence[str], api: str, owner: str) -> None:
    """Only with a server that answers: with none a flow has to fail before it did anything.

    Args:
        owner: name of the flow's run.
    """
    if server.answers(api):
        _begun.append(follow.FollowedRun(targets, workspace.workspace(), f"flow run {owner}"))


def taken() -> follow.FollowedRun | None:
    """The run, once."""
    return _begun.pop() if _begun else None


def end() -> None:
    """If nobody took it: the flow never began."""
    if run := taken():
        run.end()
