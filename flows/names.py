"""Names of flow runs: what and when, where Prefect would draw an animal by lot."""

from pathlib import Path

from prefect.runtime import flow_run

from flows import ahead

_SHOWN = 3


def dated() -> str:
    """As `ahead.name`; Prefect asks for it at the start."""
    return ahead.name(str(flow_run.flow_name))


def of_studies() -> str:
    """`study depth, width 2026-11-27 03:00:07`."""
    paths = flow_run.parameters["paths"]
    listed = ", ".join(Path(path).stem for path in paths[:_SHOWN])
    kind, _, when = dated().partition(" ")
    return f"{kind} {listed}{' ...' * (len(paths) > _SHOWN)} {when}"
