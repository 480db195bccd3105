"""Run Prefect's runner for one schedule: `python -m thawline.flows.runner JOB`, of `serve`."""

import json
import logging
import sys
import warnings
from typing import Any

from thawline.flows import environment

environment.prepare()

from prefect.schedules import Cron  # noqa: E402

from thawline.flows.pipeline_flow import pipeline  # noqa: E402
from thawline.flows.retrain_flow import retrain  # noqa: E402


def main(text: str) -> None:
    """Serve one schedule until it is ended; one run at a time.

    Args:
        text: JSON with flow, name, parameters, and cron and timezone or interval (seconds).
    """
    job = json.loads(text)
    flows: dict[str, Any] = {"pipeline": pipeline, "retrain": retrain}
    flow = flows[job.pop("flow")]
    if "cron" in job:
        job["schedule"] = Cron(job.pop("cron"), timezone=job.pop("timezone"))
    # Its reminders, each few seconds, that a run takes longer than the interval; and what Prefect
    # 3.8.8 forgets to wait for when it is told to end.
    logging.getLogger("prefect.runner").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "coroutine 'Runner.astop'", RuntimeWarning)
    # Not paused at the end: what was due meanwhile is made up for once, see missed.py.
    flow.serve(**job, limit=1, pause_on_shutdown=False, print_starting_message=False)


if __name__ == "__main__":
    main(sys.argv[1])
