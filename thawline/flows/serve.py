"""Run a flow on a schedule until Ctrl-C, by `python -m thawline.flows.serve`.

This process only watches over two others, Prefect's server and its runner (runner.py), and starts
them again: a runner gives up when its server has been away for some minutes.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from thawline.errors import UserError
from thawline.flows import environment, private, processes, repository, server, timetable
from thawline.params import params_file
from thawline.runtime import workspace

FLOWS = ("retrain", "pipeline")
_AGAIN_S = 5.0
_GRACE_S = 3.0


def main(words: Sequence[str] | None = None) -> int:
    """Serve until stopped; return 0 after Ctrl-C or SIGTERM, 2 for a user's mistake."""
    options = _options(words)
    os.environ.setdefault("PREFECT_RUNNER_POLL_FREQUENCY", "5")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        environment.prepare()
        params_file.load()
        job, when = _job(options)
        private.keep(private.NOTIFY, options.notify)
        own = server.own_unless_named(lasting=True)
        if own is not None:
            own.wait()
        print(f"{options.flow}: {when}; Prefect: {_pages()} (Ctrl-C ends it)", flush=True)
        _watch(own, job)
    except UserError as error:
        print(f"thawline: {error}", file=sys.stderr)
        return UserError.exit_code
    except KeyboardInterrupt:
        return 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="thawline serve")
    parser.add_argument("--cron", metavar="EXPR", help='when, e.g. "0 3 * * *"')
    parser.add_argument("--timezone", metavar="ZONE", help="for --cron; this machine's by default")
    parser.add_argument("--interval", metavar="S", help="seconds from start to start")
    parser.add_argument("--flow", choices=FLOWS, default=FLOWS[0])
    parser.add_argument("--commit-to", metavar="BRANCH", help="of retrain")
    parser.add_argument("--notify", metavar="URL|BLOCK", help="of retrain")
    return parser.parse_args(words)


def _job(options: argparse.Namespace) -> tuple[dict[str, object], str]:
    """Check the options.

    Returns:
        The job for `thawline.flows.runner`: flow, name, parameters, and cron with its timezone or
        interval (seconds). And a description of the schedule for the user.

    Raises:
        UserError: no schedule or two, an invalid one, or an option of another flow.
    """
    if (options.cron is None) == (options.interval is None):
        raise UserError("serve: needs either --cron EXPR or --interval S")
    if options.timezone is not None and options.cron is None:
        raise UserError("--timezone: belongs to --cron; --interval counts seconds")
    retrains = options.flow == "retrain"
    if not retrains and not (options.commit_to is options.notify is None):
        raise UserError("serve: --commit-to and --notify belong to --flow retrain")
    job = {"flow": options.flow, "name": workspace.root().name, "parameters": {}}
    if options.commit_to is not None:
        repository.check_branch_name(workspace.root(), options.commit_to)
        job["parameters"] = {"commit_to": options.commit_to}
    if options.cron is None:
        seconds = _interval(options.interval)
        return job | {"interval": seconds}, f"every {seconds} s"
    table = timetable.read(options.cron, options.timezone)
    return job | {"cron": table.cron, "timezone": table.zone}, str(table)


def _interval(text: str) -> int:
    try:
        seconds = int(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 366 * 24 * 3600:
        raise UserError(f"--interval: {text!r} is not allowed; whole seconds, from 1 to a year")
    return seconds


def _watch(own: server.Server | None, job: dict[str, object]) -> NoReturn:
    while True:
        runner = subprocess.Popen(
            processes.python("thawline.flows.runner", json.dumps(job)),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while runner.poll() is None:
                if own is not None and own.restart_if_ended():
                    print("Prefect's server ended and was restarted", flush=True)
                time.sleep(0.5)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            processes.end(runner, _GRACE_S)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, _interrupt)
        print(f"the runner ended; it is restarted in {_AGAIN_S:g} s", flush=True)
        time.sleep(_AGAIN_S)


def _pages() -> str:
    return os.environ[environment.API].removesuffix("/api")


def _interrupt(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
