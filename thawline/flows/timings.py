"""Timings of the networks of trials: one process, one network after another."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace

from thawline.flows import processes
from thawline.flows.snapshot import Snapshot
from thawline.runtime import workspace
from thawline.studies.records import TrialRecord


def timed(
    records: Sequence[TrialRecord], base: Snapshot, environment: Mapping[str, str]
) -> list[TrialRecord]:
    """The records, those with a network that waited for it with its costs; the copies go.

    Args:
        base: whose code does it.
        environment: of the trials' processes.
    """
    waiting = {str(r.network): r for r in records if not r.costs and r.network.is_dir()}
    if not waiting:
        return list(records)
    command = processes.python("thawline.studies.timing", *waiting)
    env = {**environment, workspace.VARIABLE: str(workspace.root())}
    lines = processes.output(command, base.folder, env)
    costs = json.loads(lines[-1])
    for place, record in waiting.items():
        replace(record, costs=costs[place], logged=False).write()
        shutil.rmtree(place)
    known = [TrialRecord.read(record.study, record.key) for record in records]
    return [record for record in known if record is not None]
