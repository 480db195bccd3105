"""Skip the runs that a schedule has missed during an outage or a long run, except one."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.runtime import deployment
from prefect.states import Completed

_BATCH = 200


def skip() -> int:
    """Mark the other due runs of the current run's deployment as skipped.

    Returns:
        Number of skipped runs; 0 outside of a deployment.
    """
    if not deployment.id:
        return 0
    with get_client(sync_client=True) as client:
        due = client.read_flow_runs(flow_run_filter=_due(deployment.id), limit=_BATCH)
        state: Any = Completed(name="Skipped", message="missed; a later run stands for it")
        scheduled: list[FlowRun] = [run for run in due if run.auto_scheduled]
        for run in scheduled:
            client.set_flow_run_state(run.id, state, force=True)
    return len(scheduled)


def _due(deployment_id: str) -> FlowRunFilter:
    now: Any = datetime.now(UTC)
    return FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[UUID(deployment_id)]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=now),
    )
