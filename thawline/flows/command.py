"""Run a flow from a shell: start a server, map exit codes, print mistakes in one line."""

import atexit
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from thawline.errors import UserError
from thawline.flows import environment, server, server_health
from thawline.runtime import locks

_CODES = {"Skipped": locks.BUSY, "Refused": UserError.exit_code, "Cancelled": 130}
"""Exit codes by the name of the flow's last state; others count as their type does."""
_LEFT: list[int] = []
"""The exit code, once there is one."""


def run(
    load: Callable[[], Any], meanwhile: Callable[[str], None] = lambda _: None, **parameters: Any
) -> int:
    """Run a flow on the server that PREFECT_API_URL names, else on a temporary one.

    Args:
        load: imports and returns the flow; called while the server starts.
        meanwhile: called before `load` with the address of a server that exists already.
        **parameters: parameters of the flow.

    Returns:
        0; 2 for a user's mistake; 75 when another run is in progress; 1 for any other failure, also
        when the server is gone; 130 after Ctrl-C, 143 after SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminate)  # while a flow runs, Prefect's own takes its place
    try:
        environment.prepare()
        own = server.own_unless_named()
        if own is None:
            meanwhile(os.environ[environment.API])
        flow = load()
        if own is not None:
            own.wait()
        return exit_code(flow(**parameters, return_state=True))
    except UserError as error:
        print(f"thawline: {error}", file=sys.stderr)
        return UserError.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException as error:
        if type(error).__name__ == "TerminationSignal":  # prefect's; not loaded here
            return 128 + signal.SIGTERM
        api = os.environ.get(environment.API)
        if api and isinstance(error, Exception) and server_health.gone(api):
            print(f"thawline: {_gone(api, error)}", file=sys.stderr)
            return 1
        raise


def leave(code: int) -> NoReturn:
    """Exit, at once where the server is gone.

    Prefect's exit handlers would try for minutes to send it what is left.
    """
    _LEFT.append(code)
    if server_health.gone():
        _end()
    sys.exit(code)


@atexit.register  # before Prefect's handlers, so it runs after them
def _end() -> None:
    """End without Python's own cleanup, which takes up to 1.3 s to free all modules."""
    if _LEFT:
        with suppress(OSError):  # whoever read it had enough
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(_LEFT[0])


def _gone(api: str, error: Exception) -> str:
    return (
        f"{environment.API}: {api} does not answer any more ({type(error).__name__}); "
        "what was finished is kept, and the next run goes on from it"
    )


def exit_code(state: Any) -> int:
    """Map a Prefect state to an exit code."""
    return _CODES.get(state.name, 0 if state.is_completed() else 1)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    sys.exit(128 + signum)
