"""Train one network in several processes, each on its share of every batch.

Outputs of the network are put together before the loss is taken, so that every process sees the
loss of the whole batch, whatever weighs its images; DistributedDataParallel averages the gradients.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import nn

from thawline.errors import UserError
from thawline.models import device as devices
from thawline.params.schema.network import Training
from thawline.params.schema.whole import Params
from thawline.runtime import torchrun
from thawline.training.sync_batch_norm import SharedBatchNorm

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")
Rows = TypeVar("Rows", np.ndarray, torch.Tensor)
_TIMEOUT = timedelta(hours=6)
"""Longest wait of the others while the first one computes features or measures depths."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Group of one process: every method returns its input or does nothing, at no cost.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def device(self) -> torch.device | None:
        """Device of this process; None where params alone say which."""
        return None

    def share(self, rows: Rows) -> Rows:
        """Return this process's part of the rows of a batch: every size-th."""
        return rows[self.rank :: self.size]

    def whole(self, part: torch.Tensor, total: int) -> torch.Tensor:
        """Gather the rows of all processes in their order, differentiable: (total, ...).

        `part` is what `share` gives of them, on the group's device.
        """
        del total
        return part

    def wrap(self, network: nn.Sequential) -> Callable[[torch.Tensor], torch.Tensor]:
        """Wrap a network to average gradients over the processes; again when other blocks train."""
        return network

    def norms(self) -> AbstractContextManager[Any]:
        """Return a context in which training batch norms use statistics of the whole batch."""
        return nullcontext()

    def broadcast(self, make: Callable[[], T]) -> T:
        """Call `make` in the first process and return its result in all of them."""
        return make()

    def main_first(self) -> AbstractContextManager[Any]:
        """Return a context in which each machine's first process goes before the others."""
        return nullcontext()

    def seed(self, step: int) -> None:
        """Seed a step, so that dropout differs between processes and needs no state to resume."""


ALONE = Group()


@dataclass(frozen=True, kw_only=True)
class Together(Group):
    """Group of several processes, connected by accelerate."""

    accelerator: "Accelerator"
    run_seed: int

    @property
    def device(self) -> torch.device:
        found: torch.device = self.accelerator.device
        return found

    def whole(self, part: torch.Tensor, total: int) -> torch.Tensor:
        found: torch.Tensor = _Whole.apply(part, self, total)
        return found

    def wrap(self, network: nn.Sequential) -> Callable[[torch.Tensor], torch.Tensor]:
        # Of the last part of training nothing is needed any more, its buckets of gradients least.
        self.accelerator.free_memory()
        wrapped: Callable[[torch.Tensor], torch.Tensor] = self.accelerator.prepare_model(network)
        return wrapped

    def norms(self) -> AbstractContextManager[Any]:
        return SharedBatchNorm(lambda part: self.whole(part, self.size))

    def broadcast(self, make: Callable[[], T]) -> T:
        from accelerate.utils import broadcast_object_list

        values: list[Any] = [make() if self.rank == 0 else None]
        broadcast_object_list(values, from_process=0)
        made: T = values[0]
        return made

    def main_first(self) -> AbstractContextManager[Any]:
        first: AbstractContextManager[Any] = self.accelerator.local_main_process_first()
        return first

    def seed(self, step: int) -> None:
        parts = np.random.SeedSequence([self.run_seed, self.rank, step])
        torch.manual_seed(int(parts.generate_state(1, np.uint64)[0] >> np.uint64(1)))


@contextmanager
def start_group(params: Params) -> Iterator[Group]:
    """Start the processes that params ask for, unless torchrun has started them.

    Raises:
        UserError: fewer devices or processes than params say, or too small a batch for them.
    """
    t = params.training
    if torchrun.launched() and torchrun.size() != t.devices:
        raise UserError(
            f"params.yaml: training.devices: {t.devices}, but the launcher has started "
            f"{torchrun.size()} processes; allowed: the same number"
        )
    if t.devices == 1:
        yield ALONE
        return
    _check(t, devices.select(t.device))
    start = nullcontext() if torchrun.launched() else torchrun.beside(t.devices, t.threads)
    with start:
        yield _together(params)


def _check(t: Training, device: torch.device) -> None:
    count, batch_size = t.devices, t.batch_size
    key = f"params.yaml: training.devices: {count}"
    if isinstance(batch_size, int) and batch_size < count:
        raise UserError(
            f"{key} share each batch, and training.batch_size is {batch_size}; allowed: at least "
            f"{count}, or auto"
        )
    if t.compile:
        raise UserError(f"{key} share batch norm, which training.compile cannot; allowed: false")
    here = torch.cuda.device_count()
    if device.type == "cuda" and not torchrun.launched() and count > here:
        raise UserError(
            f"{key}, and this machine has {here}; allowed: as many, or start the stage by torchrun "
            "on several machines"
        )


def _together(params: Params) -> Together:
    from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs

    accelerator = Accelerator(
        cpu=devices.select(params.training.device).type == "cpu",
        kwargs_handlers=[
            InitProcessGroupKwargs(timeout=_TIMEOUT),
            # Statistics of batch norm are shared as they are made.
            DistributedDataParallelKwargs(broadcast_buffers=False),
        ],
    )
    return Together(
        rank=accelerator.process_index,
        size=accelerator.num_processes,
        accelerator=accelerator,
        run_seed=params.seed,
    )


class _Whole(torch.autograd.Function):
    """Sum over processes, each of which adds its rows to zeros: unpadded, no row counts twice."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor, group: Group, total: int) -> torch.Tensor:
        ctx.group = group
        rows = part.new_zeros(total, *part.shape[1:])
        group.share(rows).copy_(part)
        torch.distributed.all_reduce(rows)
        return rows

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        # The sum over the processes: each holds a part of what follows from the rows. Where all
        # hold the same loss it is so many times the gradient, and the averaging makes up for it.
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        torch.distributed.all_reduce(gradient)
        return ctx.group.share(gradient), None, None
