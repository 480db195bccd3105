"""`python -m thawline.dvc.run_cache`: put a stage's outputs into DVC's run cache.

By itself DVC does so under the params that it finds after the stage. This is for those that the
stage began with, when somebody has edited them meanwhile.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from thawline.errors import UserError


def keep(
    stage: str,
    command: str,
    deps: Sequence[str],
    values: Mapping[str, Mapping[str, Any]],
    outs: Mapping[str, bool],
) -> str:
    """Keep what the stage made, for whoever runs it with these params again.

    Args:
        stage: name in dvc.yaml.
        command: the command in dvc.yaml.
        deps: paths, as they are now.
        values: file of params -> key -> value.
        outs: path -> whether DVC caches it.

    Returns:
        Why it is not kept, in a line; empty where it is.
    """
    order = {"stage": stage, "command": command, "deps": deps, "values": values, "outs": outs}
    done = subprocess.run(
        [sys.executable, "-m", "thawline.dvc.run_cache"],
        input=json.dumps(order, default=str),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def _store(order: Mapping[str, Any]) -> None:
    """Raise UserError where DVC cannot keep the result of such a stage."""
    from dvc.dependency import ParamsDependency
    from dvc.repo import Repo
    from dvc.stage import PipelineStage, create_stage
    from dvc.stage.cache import _can_hash
    from dvc_data.hashfile.hash_info import HashInfo

    cached = [path for path, is_cached in order["outs"].items() if is_cached]
    others = [path for path in order["outs"] if path not in cached]
    with Repo() as repo:
        stage = create_stage(
            PipelineStage,
            repo=repo,
            path="dvc.yaml",
            name=order["stage"],
            cmd=order["command"],
            deps=order["deps"],
            params=[{file: list(values)} for file, values in order["values"].items()],
            outs=cached,
            outs_no_cache=others,
        )
        for dep in stage.deps:
            if isinstance(dep, ParamsDependency):
                dep.hash_info = HashInfo(dep.PARAM_PARAMS, order["values"][dep.def_path])
            else:
                dep.save()
        for out in stage.outs:
            out.save()
        if not _can_hash(stage):
            raise UserError("DVC keeps no results of a stage without inputs or outputs")
        for out in stage.outs:
            if out.use_cache:
                out.commit()
        repo.stage_cache.save(stage)


if __name__ == "__main__":
    try:
        _store(json.load(sys.stdin))
    except Exception as error:  # DVC has many, and the caller says it in a line
        print(" ".join(str(error).split())[:200] or type(error).__name__, file=sys.stderr)
        sys.exit(1)
