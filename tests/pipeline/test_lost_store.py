"""Without an MLflow that answers: refused before the work, unless tracking is switched off."""

import pytest

from tests.pipeline.project import Project, ran

pytestmark = [pytest.mark.slow, pytest.mark.ci]
NOWHERE = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}


def test_an_unreachable_store_stops_the_first_stage(copy: Project) -> None:
    copy.set_params({"ingest.val_ratio": 0.16})
    before = copy.files()
    done = copy.run("dvc", "repro", "ingest", env=NOWHERE, code=255)
    (line,) = [text for text in done.stderr.splitlines() if text.startswith("ingest: ")]
    assert "http://127.0.0.1:9 cannot be used (connection refused)" in line
    assert "tracking.enabled: false" in line
    assert "packing" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert copy.files() == before

    copy.set(tracking__enabled=False)
    assert ran(copy.run("dvc", "repro", "ingest", env=NOWHERE)) == ["ingest"]
    assert copy.files()["reports/ingest/classes.csv"] != before["reports/ingest/classes.csv"]
