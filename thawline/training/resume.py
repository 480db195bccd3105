"""Resume a killed training from a checkpoint that was written on the way.

Checkpoints lie untracked in the project's scratch folder, which its temporary copies share. One is
used only with equal inputs, code and machine; training that resumes from it ends in the same bits
as one that was never interrupted.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from thawline.features import fingerprints
from thawline.runtime import checksummed_file, workspace
from thawline.runtime.escape import escape
from thawline.runtime.progress import log
from thawline.training import state_file

SHORTEST_S = 1.0
"""Seconds between two checkpoints after an epoch: epochs of a head alone take milliseconds."""
SUFFIX = ".checkpoint"
_OLD_S = 7 * 24 * 3600.0
_BROKEN = (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, SafetensorError)

State = dict[str, Any]


class Resume:
    """Checkpoint of one training, found by the fingerprint of the training's inputs."""

    def __init__(
        self,
        stage: str,
        depends_on: Mapping[str, str],
        *,
        minutes: float,
        folder: Path | None = None,
        beside: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Name the file by the training's inputs.

        Args:
            stage: name of the stage, for messages.
            depends_on: everything that changes the result, by a name for a person; short texts.
            minutes: minutes within an epoch after which a checkpoint is written; 0: only after
                epochs.
            folder: folder of checkpoints; None: the project's scratch folder.
            beside: inputs of further trainings in the same run of the stage, whose checkpoints are
                left alone.
        """
        self._stage, self._depends_on = stage, dict(depends_on)
        self._seconds = 60 * minutes
        self._folder = workspace.scratch() / "resume" if folder is None else folder
        self._path = self._path_of(depends_on)
        self._ours = {self._path, *(self._path_of(other) for other in beside)}
        self._written = time.monotonic()
        self._told = False

    def read(self) -> State | None:
        """Read the checkpoint; None where there is none, or none that can be trusted."""
        self._clear()
        try:
            about = checksummed_file.read_about(self._path)
            if about["depends_on"] != self._depends_on:
                raise ValueError("is of other inputs")
            state: State = state_file.loads(
                self._path.read_bytes()[checksummed_file.HEADER_BYTES :]
            )
        except FileNotFoundError:
            return None
        except _BROKEN as error:
            self.refuse(error)
            return None
        return state

    def refuse(self, error: Exception) -> None:
        """Log that the checkpoint is not used, and remove it."""
        reason = escape(" ".join(str(error).split()), 160)
        log(f"{self._stage}: the checkpoint of an interrupted run {reason}: it is ignored")
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def due(self, *, epoch_ended: bool) -> bool:
        """Tell whether it is time to write a checkpoint; results never depend on when one is."""
        passed = time.monotonic() - self._written
        return passed >= SHORTEST_S if epoch_ended else 0 < self._seconds <= passed

    def write(self, state: State) -> None:
        """Replace the checkpoint; where that fails, the last one stays and training goes on."""
        about = {"depends_on": self._depends_on, "workspace": _workspace()}
        try:
            checksummed_file.write(self._path, about, [state_file.dumps(state)])
        except OSError as error:
            self._warn(error)
        self._written = time.monotonic()

    def finish(self) -> None:
        """Remove the checkpoint, once the stage's outputs are written."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _warn(self, error: OSError) -> None:
        if not self._told:
            reason = error.strerror or error
            log(f"warning: {self._stage}: no checkpoint was written: {reason}; training goes on")
        self._told = True

    def _path_of(self, depends_on: Mapping[str, str]) -> Path:
        return self._folder / f"{self._stage}-{fingerprints.hash_values(dict(depends_on))}{SUFFIX}"

    def _clear(self) -> None:
        """Remove checkpoints of this workspace for other inputs, and old ones of any."""
        with suppress(OSError):
            checksummed_file.remove_abandoned(self._folder)
            for path in self._folder.glob(f"{self._stage}-*{SUFFIX}"):
                if path not in self._ours:
                    self._judge(path)

    def _judge(self, path: Path) -> None:
        try:
            about = checksummed_file.read_about(path)
            here = about["workspace"] == _workspace()
            before: dict[str, str] = dict(about["depends_on"])
        except (ValueError, KeyError, TypeError):
            here, before = True, {}
        if here:
            log(f"{self._stage}: starts anew: {self._differing(before)}")
        if here or path.stat().st_mtime < time.time() - _OLD_S:
            path.unlink(missing_ok=True)

    def _differing(self, before: Mapping[str, str]) -> str:
        names = [name for name, value in self._depends_on.items() if before.get(name) != value]
        return f"the run that was interrupted had other {', '.join(names[:5])}"


def random_state() -> State:
    """Return the state of PyTorch's generators; everything else draws from seeds of its own."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def set_random_state(state: State) -> None:
    """Restore what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])


def resume(
    checkpoint: Resume, load: Callable[[State], None], save: Callable[[], State]
) -> State | None:
    """Read a checkpoint and load it; where it does not fit, everything is as it was.

    `load` takes a state, `save` returns one that `load` takes.
    """
    state = checkpoint.read()
    if state is None:
        return None
    before = state_file.loads(state_file.dumps(save()))
    try:
        load(state)
    except _BROKEN as error:
        load(before)
        checkpoint.refuse(error)
        return None
    return state


def _workspace() -> str:
    return fingerprints.hash_values(str(workspace.workspace().resolve()))
