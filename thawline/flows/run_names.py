"""Name flow runs by what and when, where Prefect would draw an animal by lot."""

from datetime import datetime
from pathlib import Path

_SHOWN = 3


def with_time(flow: str) -> str:
    """Append this machine's time: `retrain 2026-11-27 03:00:07`."""
    return f"{flow} {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"


def dated() -> str:
    """Name the current flow run by its flow and the time; called by Prefect."""
    from prefect.runtime import flow_run  # a run that is begun ahead has its name before Prefect

    return with_time(str(flow_run.flow_name))


def for_studies() -> str:
    """Name the current run of studies: `study depth, width 2026-11-27 03:00:07`."""
    from prefect.runtime import flow_run

    paths = flow_run.parameters["paths"]
    listed = ", ".join(Path(path).stem for path in paths[:_SHOWN])
    return with_time(f"{flow_run.flow_name} {listed}{' ...' * (len(paths) > _SHOWN)}")
