"""Time the networks of trials: one process, one network after another."""

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
    """Time the networks that wait for it; return all records, with costs, and delete the copies.

    Args:
        records: records of trials.
        base: the snapshot whose code times them.
        environment: environment variables of the trials' processes.
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
