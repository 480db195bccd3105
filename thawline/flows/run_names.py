"""Names of flow runs: what and when, where Prefect would draw an animal by lot."""

from datetime import datetime
from pathlib import Path

_SHOWN = 3


def with_time(flow: str) -> str:
    """`retrain 2026-11-27 03:00:07`, by this machine's clock."""
    return f"{flow} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"


def dated() -> str:
    """Of the flow that begins; Prefect asks for it."""
    from prefect.runtime import flow_run  # a run that is begun ahead has its name before Prefect

    return with_time(str(flow_run.flow_name))


def for_studies() -> str:
    """`study depth, width 2026-11-27 03:00:07`."""
    from prefect.runtime import flow_run

    paths = flow_run.parameters["paths"]
    listed = ", ".join(Path(path).stem for path in paths[:_SHOWN])
    return with_time(f"{flow_run.flow_name} {listed}{' ...' * (len(paths) > _SHOWN)}")
