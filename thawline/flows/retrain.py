"""Retrain from a shell: `python -m thawline.flows.retrain`.

Pulls, runs what changed in a working tree of its own, pushes, publishes.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from thawline.flows import command, private


def main(words: Sequence[str] | None = None) -> int:
    """Run the flow from a shell; return the exit code, see `command.run`."""
    parser = argparse.ArgumentParser(prog="python -m thawline.flows.retrain")
    parser.add_argument("--commit-to", metavar="BRANCH", help="record what was trained on a branch")
    parser.add_argument("--notify", metavar="URL|BLOCK", help="a webhook, or a block of Prefect's")
    parser.add_argument("--stage-timeout-s", type=float, help="end a stage that takes longer")
    given = parser.parse_args(words)
    private.keep(private.NOTIFY, given.notify)
    return command.run(_flow, commit_to=given.commit_to, stage_timeout_s=given.stage_timeout_s)


def _flow() -> Any:
    from thawline.flows.retrain_flow import retrain

    return retrain


if __name__ == "__main__":
    command.leave(main())
