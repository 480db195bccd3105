"""Check that Prefect's server still answers: without it, a flow would wait for it for minutes.

Prefect 3.8.8 tries each call to a server that is gone six times: 70 s here. The end of a flow makes
up to three, and at the exit every event that is left is tried for longer still.
"""

import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from thawline.flows import environment

PATIENCE_S = 30.0
"""`thawline.flows.serve` starts its server again within this."""
_ANSWER_S = 5.0
_OF_A_PROXY = (502, 503, 504)


class ServerGoneError(Exception):
    """Raised when Prefect's server does not answer any more."""


def gone(api: str | None = None) -> bool:
    """Return True where the named server does not answer; False where no server is named.

    Args:
        api: its address; by default that of PREFECT_API_URL.
    """
    api = api or os.environ.get(environment.API)
    if not api:
        return False
    try:
        with urllib.request.urlopen(f"{api}/health", timeout=_ANSWER_S):
            return False
    except urllib.error.HTTPError as error:
        error.close()
        return error.code in _OF_A_PROXY  # others come from the server: it wants a password
    except urllib.error.URLError as error:
        return not isinstance(error.reason, ssl.SSLError)  # whom Prefect trusts is its own affair
    except TimeoutError:
        return False  # somebody took the question; a busy machine is slow to answer
    except OSError:
        return True


@contextmanager
def needed() -> Iterator[None]:
    """Require the server around the work of a flow.

    Whichever way the work ends, Prefect does not wait for a server that is gone.

    Raises:
        ServerGoneError: it did not come back within PATIENCE_S after the work.
    """
    try:
        yield
    except BaseException:
        if gone():
            _hurry()
        raise
    require()


def require() -> None:
    """Wait for a server that is away.

    Raises:
        ServerGoneError: it did not come back within PATIENCE_S.
    """
    deadline = time.monotonic() + PATIENCE_S
    while gone():
        if time.monotonic() > deadline:
            _hurry()
            raise ServerGoneError
        time.sleep(0.5)


def _hurry() -> None:
    """Make Prefect try every call only once from now on."""
    from prefect.settings import get_current_settings

    get_current_settings().client.max_retries = 0
