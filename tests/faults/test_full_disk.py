"""No room where a stage writes, in DVC's cache: one message, the rest stays, room mends it."""

import pytest

from tests.faults.mounts import OFF, may_mount, mounted
from tests.pipeline.project import Project, ran

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not may_mount(), reason="mounting takes rights that are not here"),
]
NO_ROOM = "No space left on device; make room and run it again: what was finished is kept"
WRITES = {
    "rebalance": ("data/rebalance", "rows.parquet"),
    "augment": ("data/augment", "policy.json minority"),
    "transfer_learn": ("models", "transfer_learn"),
    "fine_tune": ("models", "fine_tune"),
    "compress": ("models", "compress"),
    "evaluate": ("reports/evaluate", "*"),
}
"""Of each stage: the folder that is full, and what it would write there."""
STAGE = """\
repro="dvc repro --force --single-item --no-run-cache {stage}"
fill {folder} '{outs}'
find {folder} -type f -exec sha256sum {{}} + > .thawline/kept
$repro 2> .thawline/refused && exit 1
sha256sum --quiet --check .thawline/kept
room {folder}
$repro
"""


@pytest.mark.parametrize(
    "stage", [pytest.param(s, marks=pytest.mark.ci if s == "augment" else ()) for s in WRITES]
)
def test_a_full_disk_ends_a_stage_and_room_mends_it(copied: Project, stage: str) -> None:
    folder, outs = WRITES[stage]
    before = copied.hashes()
    done = mounted(copied, STAGE.format(stage=stage, folder=folder, outs=outs), env=OFF)
    refused = (copied.folder / ".thawline/refused").read_text()
    assert "Traceback" not in refused
    (line,) = [text for text in refused.splitlines() if NO_ROOM in text]
    assert line.startswith(f"{stage}: ")
    assert ran(done) == [stage, stage]
    assert copied.hashes() == before
