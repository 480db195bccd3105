"""The run of a study in MLflow: parent of its trials' runs, with the report as artifacts."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from thawline.tracking import address
from thawline.tracking.parent import STUDY
from thawline.tracking.recorder import log_metrics, log_params, set_tags
from thawline.tracking.store import PARENT, ROLE, SOURCE_TYPE, Store, connect, patient

_NAME, _CODE = "thawline.study", "thawline.study.code"
_ERROR = "error"
_STATUS = {"complete": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}


class StudyRun:
    """Opened once per study, code and params; a study that goes on goes on in the same run.

    Args:
        experiment: of MLflow.
        code: a hash; with another one a new run is opened.
        about: tags, e.g. the claim.

    Raises:
        UserError: the store cannot be used.
    """

    def __init__(self, experiment: str, name: str, code: str, about: Mapping[str, str]) -> None:
        self._store: Store = connect(experiment)
        patient()
        keys = {ROLE: "study", _NAME: name, _CODE: code}
        known = self._store.newest(keys)
        client = self._store.client
        if known is not None:
            self.id = str(known.info.run_id)
            client.update_run(self.id, "RUNNING")
            return
        tags = keys | dict(about) | {SOURCE_TYPE: "LOCAL", "mlflow.source.name": "thawline study"}
        made = client.create_run(
            self._store.experiment_id, _now_ms(), tags, run_name=f"study {name}"
        )
        self.id = str(made.info.run_id)

    @property
    def environment(self) -> dict[str, str]:
        """For the processes of a trial, on any machine: their run is nested here."""
        return {STUDY: self.id, "MLFLOW_TRACKING_URI": address.uri()}

    def trial(
        self,
        name: str,
        run_id: str | None,
        state: str,
        *,
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
    ) -> str:
        """Complete the run that a trial's stages opened; open one where they did not come so far.

        One that has ended keeps the time when it did: trials are timed after all have trained.

        Returns:
            The run's id.
        """
        client = self._store.client
        if not self._store.exists(run_id):
            own = {PARENT: self.id, ROLE: "trial", SOURCE_TYPE: "LOCAL"}
            run_id = str(
                client.create_run(
                    self._store.experiment_id, _now_ms(), own, run_name=name
                ).info.run_id
            )
            log_params(self._store, run_id, dict(params))
        assert run_id is not None
        now, before = _now_ms(), client.get_run(run_id)
        set_tags(self._store, run_id, {"mlflow.runName": name, **tags})
        if _ERROR not in tags and _ERROR in before.data.tags:
            client.delete_tag(run_id, _ERROR)  # of an attempt that was ended
        log_metrics(self._store, run_id, [[key, value, 0, now] for key, value in metrics.items()])
        client.set_terminated(run_id, _STATUS[state], before.info.end_time)
        return run_id

    def close(self, files: Iterable[Path], metrics: Mapping[str, float]) -> None:
        """Write the report and its numbers; the run ends as FINISHED."""
        for file in files:
            self._store.client.log_artifact(self.id, str(file), "report")
        now = _now_ms()
        log_metrics(self._store, self.id, [[key, value, 0, now] for key, value in metrics.items()])
        self._store.client.set_terminated(self.id)

    def leave(self) -> None:
        """Close the run of a study that was ended; it goes on in the same run."""
        self._store.client.set_terminated(self.id, "KILLED")


def _now_ms() -> int:
    return int(time.time() * 1000)
