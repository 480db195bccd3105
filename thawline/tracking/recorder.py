"""Applies the events of a run to MLflow. Applying an event twice changes nothing."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from thawline.dvc import hashes
from thawline.tracking.closing import UNKNOWN
from thawline.tracking.store import (
    DIGEST,
    OUTS,
    ROLE,
    STAGE,
    TAG_LENGTH,
    Store,
    as_text,
    chunks,
)

Event = dict[str, Any]
_METRICS_A_BATCH, _PARAMS_A_BATCH, _TAGS_A_BATCH = 1000, 100, 100
_LARGEST = 1.7976931348623157e308
"""MLflow keeps no infinity."""


class Recorder:
    """Writes to one stage's run and to its parent.

    Args:
        header: run_id (None when there is only the parent), parent_run_id, stage, experiment,
            execution: what a journal needs to go on later.
    """

    def __init__(self, store: Store, header: Event) -> None:
        self.store, self.header = store, header
        self._run: str = header["run_id"]
        self._parent: str = header["parent_run_id"]

    def apply(self, event: Event) -> None:
        kinds: dict[str, Callable[[Event], None]] = {
            "start": lambda _: None,  # of what has opened the run
            "metrics": self._metrics,
            "params": self._params,
            "tags": self._tags,
            "artifact": self._artifact,
            "dataset": self._dataset,
            "end": self._end,
            "close": self._close,
        }
        kinds[event["event"]](event)

    def _metrics(self, event: Event) -> None:
        log_metrics(self.store, self._run, event["entries"])

    def _params(self, event: Event) -> None:
        log_params(self.store, self._run, event["values"])

    def _tags(self, event: Event) -> None:
        set_tags(self.store, self._run, event["values"])

    def _artifact(self, event: Event) -> None:
        self._files(self._run, event)

    def _dataset(self, event: Event) -> None:
        source = json.dumps({"source": event["source"]})
        profile = json.dumps(event["profile"])
        data = Dataset(event["name"], event["digest"], "code", source, profile=profile)
        item = DatasetInput(data, [InputTag("mlflow.data.context", event["context"])])
        for run in (self._run, self._parent):
            self.store.client.log_inputs(run, [item])

    def _end(self, event: Event) -> None:
        stage = self.header["stage"]
        tags = _out_tags(event["outs"])
        if event["message"]:
            tags["error"] = event["message"]
        log_metrics(self.store, self._run, [["duration_s", event["duration_s"], 0, event["t"]]])
        set_tags(self.store, self._run, tags)
        fate = {"FINISHED": "ran", "FAILED": "failed"}.get(event["status"], "killed")
        links = {f"stage.{stage}": fate, f"stage.{stage}.run_id": self._run}
        per_out = {key: value for key, value in tags.items() if key.startswith("out.")}
        set_tags(self.store, self._parent, links | per_out)
        self.store.client.set_terminated(self._run, event["status"], event["t"])

    def _close(self, event: Event) -> None:
        """Write final metrics, report, hashes, and the run that each stage's output comes from."""
        tags = {f"stage.{name}": fate for name, fate in event["fates"].items()}
        tags |= {"error": event["message"]} if event["message"] else {}
        tags |= {DIGEST: event["digest"]} if event["digest"] else {}
        tags |= event.get("tags", {})  # a record that waited may be of an earlier version
        for name, outs in event["outs"].items():
            tags |= {key: value for key, value in _out_tags(outs).items() if key != OUTS}
            if run := event["run_ids"].get(name) or self._producer(name, outs):
                tags[f"stage.{name}.run_id"] = run
            if event["fates"][name] in ("skipped", "restored", UNKNOWN):
                self._inherit_dataset(tags.get(f"stage.{name}.run_id"))
        set_tags(self.store, self._parent, tags)
        entries = [[key, value, 0, event["t"]] for key, value in event["metrics"].items()]
        log_metrics(self.store, self._parent, entries)
        self._files(self._parent, event)
        self.store.client.set_terminated(self._parent, event["status"], event["t"])

    def _producer(self, stage: str, outs: dict[str, str]) -> str | None:
        """Find the newest finished run of the stage with the same outputs."""
        run = self.store.newest({ROLE: "stage", STAGE: stage, OUTS: hashes.digest(outs)})
        return run.info.run_id if run else None

    def _inherit_dataset(self, producer: str | None) -> None:
        if producer:
            inputs = self.store.client.get_run(producer).inputs
            if inputs and inputs.dataset_inputs:
                self.store.client.log_inputs(self._parent, inputs.dataset_inputs)

    def _files(self, run: str, event: Event) -> None:
        for path, folder in event["files"]:
            self.store.client.log_artifact(run, path, folder or None)


def log_metrics(store: Store, run: str, entries: Iterable[list[Any]]) -> None:
    """Entries are [name, value, step, milliseconds]; infinities become the largest float."""
    metrics = [
        Metric(key, min(max(value, -_LARGEST), _LARGEST) if value == value else value, when, step)
        for key, value, step, when in entries
    ]
    for start in range(0, len(metrics), _METRICS_A_BATCH):
        store.client.log_batch(run, metrics=metrics[start : start + _METRICS_A_BATCH])


def log_params(store: Store, run: str, values: dict[str, Any]) -> None:
    """Values as text, cut to MLflow's limit; those the run has already stay as they are."""
    known = store.client.get_run(run).data.params
    new = {key: as_text(value) for key, value in values.items() if key not in known}
    for some in chunks(new, _PARAMS_A_BATCH):
        store.client.log_batch(run, params=[Param(key, value) for key, value in some.items()])


def set_tags(store: Store, run: str, values: dict[str, Any]) -> None:
    for some in chunks(values, _TAGS_A_BATCH):
        tags = [RunTag(key, as_text(value, TAG_LENGTH)) for key, value in some.items()]
        store.client.log_batch(run, tags=tags)


def coalesce(events: list[Event]) -> list[Event]:
    """Neighbouring metrics events as one, so that a backlog is one request."""
    merged: list[Event] = []
    for event in events:
        if merged and event["event"] == merged[-1]["event"] == "metrics":
            merged[-1] = {**event, "entries": merged[-1]["entries"] + event["entries"]}
        else:
            merged.append(event)
    return merged


def _out_tags(outs: dict[str, str]) -> dict[str, str]:
    if not outs:
        return {}
    tags = {f"out.{path.rstrip('/')}": value for path, value in outs.items()}
    return tags | {OUTS: hashes.digest(outs)}
