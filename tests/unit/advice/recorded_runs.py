"""A dvc.yaml and a dvc.lock as a run of the seven stages leaves them, without the run."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from thawline.advice.provenance import TO_EVALUATE


def write_run(folder: Path, values: dict[str, Any], **made: str) -> None:
    """Write both files; each stage reads the output of the one before.

    Args:
        values: of params.yaml, that fine_tune ran with.
        made: stage -> hash of its output, where that is another one than the next stage has read.
    """
    stages: dict[str, Any] = {}
    locked: dict[str, Any] = {}
    before: str | None = None
    for name in TO_EVALUATE:
        stages[name] = {"cmd": "true", "outs": [f"models/{name}"]}
        locked[name] = {"outs": [{"path": f"models/{name}", "md5": made.get(name, name)}]}
        if before is not None:
            stages[name]["deps"] = [f"models/{before}"]
            locked[name]["deps"] = [{"path": f"models/{before}", "md5": before}]
        before = name
    locked["fine_tune"]["params"] = {"params.yaml": values}
    locked["compress"]["params"] = {"params.yaml": {"budget.min_accuracy": 0.123}}
    for file, content in (("dvc.yaml", stages), ("dvc.lock", locked)):
        YAML(typ="safe", pure=True).dump({"stages": content}, folder / file)
