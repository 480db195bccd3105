"""Run `thawline run` as a Prefect flow: `python -m thawline.flows.pipeline`.

Light, so that a server starts before Prefect is loaded; the flow itself is in pipeline_flow.py.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from thawline.errors import UserError
from thawline.flows import command, follow, prefetch, run_names


def main(words: Sequence[str] | None = None) -> int:
    """Run the flow from a shell; return the exit code, see `command.run`."""
    parser = argparse.ArgumentParser(prog="python -m thawline.flows.pipeline")
    parser.add_argument("targets", nargs="*", help="stages; all by default")
    parser.add_argument("--stage-timeout-s", type=float, help="end a stage that takes longer")
    parser.add_argument("--busy-retries", type=int, default=3, help="while another DVC is at work")
    given = parser.parse_args(words)
    try:
        follow.check_targets(given.targets)
    except UserError as error:
        print(f"thawline: {error}", file=sys.stderr)
        return UserError.exit_code
    name = run_names.with_time("pipeline")
    try:
        return command.run(
            lambda: _flow(name),
            meanwhile=lambda api: prefetch.begin(given.targets, api, name),
            **vars(given),
        )
    finally:
        prefetch.end()


def _flow(name: str) -> Any:
    from thawline.flows.pipeline_flow import pipeline

    return pipeline.with_options(flow_run_name=name)


if __name__ == "__main__":
    command.leave(main())
