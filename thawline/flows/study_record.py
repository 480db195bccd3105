"""Record a study in MLflow; results are kept without it, and are sent the next time."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prefect import get_run_logger

from thawline.params.schema.whole import Params
from thawline.studies.plan import Study
from thawline.studies.records import TrialRecord
from thawline.studies.summary import Summary
from thawline.tracking import address
from thawline.tracking.parent import TRIAL_TAG
from thawline.tracking.study import StudyRun


class Recorded:
    """The MLflow run of a study, or nothing where tracking is switched off.

    Raises:
        UserError: the store cannot be used.
    """

    def __init__(self, planned: Study, code: str, checked: Params) -> None:
        self._run: StudyRun | None = None
        if address.enabled(checked.tracking.enabled):
            d = planned.definition
            about = {"claim": d.claim, "question": d.question, "measure": d.measure}
            about |= {"smallest_effect": str(d.smallest_effect)}
            if planned.changed:  # other trials, so a run of its own
                about["changed"] = planned.changed
                code = hashlib.sha256(f"{code} {planned.changed}".encode()).hexdigest()
            self._run = StudyRun(checked.tracking.experiment, planned.name, code, about)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the processes of a trial."""
        return self._run.environment if self._run else {address.SWITCH: "off"}

    def close(
        self, records: Sequence[TrialRecord], summary: Summary, files: Sequence[Path]
    ) -> None:
        """Send the trials that were not sent yet, and the report."""
        if self._run is None:
            return
        try:
            for record in records:
                if not record.logged:
                    self._send(record)
            self._run.close(files, summary.numbers)
        except Exception as error:
            get_run_logger().warning("MLflow: %s; sent the next time the study runs", error)

    def leave(self) -> None:
        if self._run is not None:
            try:
                self._run.leave()
            except Exception as error:
                get_run_logger().warning("MLflow: %s", error)

    def _send(self, record: TrialRecord) -> None:
        assert self._run is not None
        tags = {
            "thawline.study": record.study,
            TRIAL_TAG: record.key,
            "contender": record.contender,
            "seed": str(record.seed),
        }
        tags |= {"error": record.message} if record.message else {}
        tags |= {"dvc.experiment": record.experiment} if record.experiment else {}
        run_id = self._run.trial(
            f"{record.contender}, seed {record.seed}",
            record.run_id,
            record.state,
            tags=tags,
            params=record.overrides,
            metrics={**record.values, **record.costs, "duration_s": record.duration_s},
        )
        replace(record, run_id=run_id, logged=True).write()
