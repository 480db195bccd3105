"""What every stage does around its own work: check params, lock, track, name mistakes in a line.

Light on purpose: params are checked and the tracking process is on its way before a stage imports
torch.
"""

import atexit
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from thawline.dvc import cache, input_check, stage_inputs
from thawline.dvc.code import check as check_code
from thawline.dvc.hashes import Graph
from thawline.errors import ChildDiedError, UserError
from thawline.params import params_file
from thawline.params.schema.whole import Params
from thawline.pipeline.forkserver import client
from thawline.runtime import disk_errors, execution, locks, openmp, torchrun, workspace
from thawline.tracking import writer
from thawline.tracking.client import StageRun, open_stage_run

_PARAMS = "THAWLINE_PARAMS"
"""What params.yaml held when the first of several processes began: it may be edited meanwhile."""
Main = Callable[[Params, StageRun], None]


def run(name: str, main: Main) -> NoReturn:
    """Run a stage's main and end the process.

    Exit codes: 0; 2 for a user's mistake, whose message is the last line on stderr; 71 where a
    process that worked for it was killed; 130 after Ctrl-C, 143 after SIGTERM. DVC turns any
    failure into its own 255.
    """
    signal.signal(signal.SIGTERM, _terminate)
    openmp.wait_briefly()
    locks.die_with_parent()
    if not torchrun.is_main():
        _take_part(main)
    try:
        with disk_errors.translate_errors():
            locks.end_without(partial(execution.alive, execution.identify()))
            check_code()
            source = params_file.read()
            checked = params_file.check(source.values)
            beside = writer.modules(checked.tracking.enabled)
            client.hand_over(name, beside)
            client.record(writer.PROGRAM, beside)
            cache.require_cache(name)
            graph = Graph(workspace.workspace())
            outs = [Path(path) for path in graph.outputs(name)]
            with (
                locks.hold_workspace(name),
                open_stage_run(name, checked, outs) as stage_run,
                disk_errors.translate_errors(),
                _loaders_named(),
            ):
                input_check.check(name, graph)
                origin = stage_inputs.begin(name, graph, source)
                if checked.training.devices != 1:
                    os.environ[_PARAMS] = json.dumps(source.values)
                main(checked, stage_run)
                if origin is None:
                    stage_run.settle()
                else:
                    origin.require(stage_run.settle)
    except UserError as error:
        with suppress(OSError):  # no room for them
            cache.put_back(name)
        # The scratch folder itself may be what cannot be written.
        with suppress(OSError, UserError):
            execution.note_failure(name, error)
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        _leave(error.exit_code)
    except KeyboardInterrupt:
        _leave(130)
    except SystemExit as error:
        _leave(error.code if isinstance(error.code, int) else int(error.code is not None))
    _leave(0)


@contextmanager
def _loaders_named() -> Iterator[None]:
    """PyTorch's word for a process of a DataLoader that died comes out wherever we are just then.

    Raises:
        ChildDiedError: instead of it.
    """
    try:
        yield
    except RuntimeError as error:
        text = f"{error} {error.__cause__} {error.__context__}"
        if "DataLoader worker" not in text:
            raise
        code = -signal.SIGKILL if "signal: Killed" in text else None
        raise ChildDiedError.from_exit_code("a process that augments images", code) from error


def _take_part(main: Main) -> NoReturn:
    """Train beside the process that holds the lock, tracks and writes; it tells what goes wrong."""
    parent = os.getppid()
    locks.end_without(lambda: os.getppid() == parent)
    try:
        given = os.environ.get(_PARAMS)
        main(params_file.check(json.loads(given)) if given else params_file.load(), StageRun(None))
    except UserError as error:
        print(error, file=sys.stderr)
        _leave(error.exit_code)
    except KeyboardInterrupt:
        _leave(130)
    _leave(0)


def _leave(code: int) -> NoReturn:
    """End at once: everything is written and closed.

    Taking the interpreter down with torch in it cost another 2 to 4 seconds a stage here, and a
    killed stage lived on for as long.
    """
    atexit._run_exitfuncs()  # e.g. multiprocessing's, which ends the workers
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    sys.exit(128 + signum)
