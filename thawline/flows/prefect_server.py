"""Serve Prefect for this machine alone: `python -m thawline.flows.prefect_server PORT [brief]`.

`prefect server start` serves every page that a browser has open: it allows all origins, and asks
neither for a token nor for whom a request is meant.
"""

import os
import sys
from collections.abc import Mapping

from thawline.flows import origins

HOST = "127.0.0.1"
BRIEF = "brief"
_FOR_LASTING = (
    "PREFECT_SERVER_UI_ENABLED",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED",
)


def settings(port: int, named: Mapping[str, str], *, lasting: bool) -> dict[str, str]:
    """Build the server's settings, as variables; rules that are named already stay.

    Args:
        port: port of the server.
        named: the environment.
        lasting: True adds web pages and the service that makes runs of schedules.
    """
    rules = {
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port},http://localhost:{port}",
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_UI_API_URL": "/api",  # else its pages look for it on port 4200
    }
    return rules | dict(named) | ({} if lasting else dict.fromkeys(_FOR_LASTING, "false"))


def main(port: str, *words: str) -> None:
    """Serve until it is ended; Prefect reads the environment when it is imported.

    Args:
        port: port of the server.
        *words: `brief` for a server without web pages and schedules.
    """
    os.environ.update(settings(int(port), os.environ, lasting=BRIEF not in words))
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import get_current_settings

    found = get_current_settings().server
    named = found.api.cors_allowed_origins.split(",")
    allowed = [origin.strip().rstrip("/").lower() for origin in named]
    uvicorn.run(
        origins.OwnOrigin(create_app(final=True), allowed),
        host=HOST,
        port=int(port),
        timeout_keep_alive=found.api.keepalive_timeout,
        ws_ping_interval=found.api.websocket_ping_interval,
        ws_ping_timeout=found.api.websocket_ping_timeout,
        log_level=found.logging_level.lower(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
