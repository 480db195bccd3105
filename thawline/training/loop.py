"""Run the training loop: epochs over examples, validation after each, best weights kept."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from thawline.metrics.classification import score
from thawline.models.network import Network
from thawline.runtime.progress import log, track
from thawline.training import resume as resuming
from thawline.training.collapse import CollapseError, check_finite, diverging
from thawline.training.distillation import Teacher
from thawline.training.distributed import ALONE, Group
from thawline.training.examples import Batch, Examples
from thawline.training.freezing import Frozen
from thawline.training.history import Epoch, History
from thawline.training.losses import Loss
from thawline.training.recipe import Recipe
from thawline.training.resume import Resume
from thawline.training.train_step import Steps, ToInput

OnEpoch = Callable[[int, Epoch], None]


_EARLY = 4
"""Parts of the first epoch, after one of which training is judged for the first time."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Validation rows that judge a network between epochs.

    Attributes:
        logits: function that gives a network's logits of the validation rows, float32
            (V, num_classes).
        labels: classes of those rows, int64 (V,).
    """

    logits: Callable[[Network], torch.Tensor]
    labels: torch.Tensor


def fit(
    network: Network,
    frozen: Frozen,
    examples: Examples,
    to_input: ToInput,
    validation: Validation,
    recipe: Recipe,
    *,
    loss: Loss,
    device: torch.device,
    precision: str,
    on_epoch: OnEpoch,
    resume: Resume | None = None,
    teacher: Teacher | None = None,
    may_keep_start: bool = False,
    start_competes: bool = True,
    ends_below: tuple[float, float] | None = None,
    num_good: int = 0,
    group: Group = ALONE,
    compiled: bool = False,
) -> History:
    """Train in place and leave the weights of the best epoch in the network.

    The best epoch has the highest validation macro-F1, the lower validation loss among equals.
    Training stops after recipe.patience epochs without a better macro-F1; a block that begins to
    train (recipe.unfreeze_every) starts the count anew.

    Args:
        network: the part behind the cut, on the device.
        frozen: blocks that train in the end.
        examples: batches of an epoch, by the epoch's number.
        to_input: turns a batch of the examples into what `network` takes.
        validation: rows that judge the network after each epoch.
        recipe: values of the training section, without any `auto`.
        loss: scalar of float32 logits and labels, both on the device.
        device: device of the network.
        precision: float32 or bfloat16, of the forward pass in a step.
        on_epoch: called with the number and the measurements of each epoch, of those that an
            interrupted run made too.
        resume: checkpoint of this training, to go on from and to write.
        teacher: network to distil from; only for examples that are images.
        may_keep_start: whether the weights are left as they came when no epoch is better.
        start_competes: used with may_keep_start; if false, the start is judged for the record and
            the best epoch is kept all the same.
        ends_below: used with may_keep_start; two shares of the start's macro-F1, within the first
            epoch and after it, below which training ends with a CollapseError.
        num_good: number of best epochs whose weights are kept in the history.
        group: processes that train together; only the first has a `resume`, the others go on from
            what it finds.
        compiled: whether training runs through torch.compile.

    Raises:
        UserError: the loss is no longer finite.
        CollapseError: with ends_below, where macro-F1 falls below it or the loss is not finite.
    """
    steps = Steps(
        network, frozen, recipe, len(examples), to_input,
        loss=loss, device=device, precision=precision, teacher=teacher,
        group=group, compiled=compiled,
    )  # fmt: skip
    course = _Course(steps, recipe, resume, group, num_good)
    with diverging(recipe, ends_on_collapse=ends_below is not None):
        if not course.resume(on_epoch) and may_keep_start:
            course.judge_start(validation, competes=start_competes)
        while course.should_continue():
            course.begin()
            for batches in track(course.remaining_batches(examples), f"epoch {course.epoch + 1}"):
                course.count(steps.step(batches), len(batches))
                # Before a checkpoint is written: what goes on from one is past this look.
                if ends_below and course.is_early(len(examples), len(batches)):
                    course.check(_judge(steps.trained(), validation), ends_below[0])
                course.keep()
            judged = {
                "train_loss": course.train_loss(),
                **_judge(steps.evaluated(), validation),
                "learning_rate": steps.learning_rate(),
            }
            if ends_below and course.epoch == 0:
                course.check(judged, ends_below[1])
            on_epoch(course.epoch, judged)
            log(_line(course.epoch, recipe.epochs, judged))
            steps.after_epoch(course.epoch, judged["val_macro_f1"])
            course.end(judged)
    network.load_state_dict(course.history.best_state)
    network.eval()
    return course.history


class _Course:
    """State of a training under way: its position, and what is kept of it."""

    def __init__(
        self, steps: Steps, recipe: Recipe, resume: Resume | None, group: Group, num_good: int
    ) -> None:
        self.history = History()
        self._num_good = num_good
        self.epoch = 0
        self._batch, self._losses = 0, list[torch.Tensor]()
        self._waited = 0
        self._steps, self._recipe, self._resume = steps, recipe, resume
        self._group = group

    def resume(self, on_epoch: OnEpoch) -> bool:
        """Resume from the checkpoint of an interrupted run; return whether there was one."""
        state = self._group.broadcast(self._read_checkpoint)
        if state is None:
            return False
        if self._group.rank:
            self._load(state)
        within = f", in epoch {self.epoch + 1}" if self._batch else ""
        log(f"{self._recipe.stage}: resumes after epoch {self.epoch}{within}")
        for number, judged in enumerate(self.history.epochs):
            on_epoch(number, judged)
        return True

    def judge_start(self, validation: Validation, *, competes: bool) -> None:
        """Judge the starting weights, which an epoch has to surpass where they compete."""
        network = self._steps.evaluated()
        self.history.start = _judge(network, validation)
        self.history.start_competes = competes
        self.history.best_state = copy.deepcopy(network.state_dict())

    def _read_checkpoint(self) -> resuming.State | None:
        if self._resume is None:
            return None
        return resuming.resume(self._resume, self._load, self._state)

    def is_early(self, num_examples: int, num_batches: int) -> bool:
        """Tell whether the step just made, of num_batches, is the one to judge early.

        That is after a quarter of the first epoch.
        """
        in_epoch = math.ceil(num_examples / self._recipe.batch_size)
        before, wanted = self._batch - num_batches, max(1, in_epoch // _EARLY)
        return self.epoch == 0 and before < wanted <= self._batch

    def check(self, judged: Epoch, least: float) -> None:
        """Raise CollapseError where macro-F1 is below the share `least` of the start's."""
        start = self.history.start
        if start and judged["val_macro_f1"] < least * start["val_macro_f1"]:
            raise CollapseError(
                f"validation macro-F1 fell from {start['val_macro_f1']:.3f} to "
                f"{judged['val_macro_f1']:.3f}"
            )

    def should_continue(self) -> bool:
        """Tell whether epochs and patience are left."""
        return self.epoch < self._recipe.epochs and self._waited < self._recipe.patience

    def begin(self) -> None:
        """Begin an epoch; a block that begins to train starts the patience anew."""
        if self._steps.begin(self.epoch):
            self._waited = 0

    def remaining_batches(self, examples: Examples) -> Iterator[list[Batch]]:
        """Yield the batches of each step that remains in the epoch."""
        together: list[Batch] = []
        for batch in examples.epoch(self.epoch, self._batch):
            together.append(batch)
            if len(together) == self._recipe.accumulate:
                yield together
                together = []
        if together:
            yield together

    def count(self, loss: torch.Tensor, num_batches: int) -> None:
        """Record the loss of a step and the number of its batches."""
        self._losses.append(loss)
        self._batch += num_batches

    def keep(self) -> None:
        """Write a checkpoint within an epoch, if one is due."""
        self._write(epoch_ended=False)

    def train_loss(self) -> float:
        """Return the mean loss of the epoch's steps; raise NotFiniteError if it is not finite."""
        here = self._losses[-1].device  # those of a checkpoint come on the CPU
        mean = float(torch.stack([loss.to(here) for loss in self._losses]).double().mean())
        check_finite(mean, "the loss")
        return mean

    def end(self, judged: Epoch) -> None:
        """Record an epoch, keep its weights if they are the best so far, start the next."""
        self._waited = 0 if self.history.is_ahead(judged) else self._waited + 1
        better = self.history.is_better(judged)
        self.history.epochs.append(judged)
        if better or self._num_good:
            state = copy.deepcopy(self._steps.evaluated().state_dict())
        if better:
            self.history.best_epoch, self.history.best_state = self.epoch, state
        if self._num_good:
            on_cpu = {name: value.cpu() for name, value in state.items()}
            self.history.keep_good(on_cpu, self._num_good)
        self.epoch += 1
        self._batch, self._losses = 0, []
        self._write(epoch_ended=True)

    def _write(self, *, epoch_ended: bool) -> None:
        if self._resume is not None and self._resume.due(epoch_ended=epoch_ended):
            self._resume.write(self._state())

    def _state(self) -> resuming.State:
        return {
            "steps": self._steps.state(),
            "random": resuming.random_state(),
            "history": vars(self.history),
            "position": (self.epoch, self._batch, self._waited),
            "losses": self._losses,
        }

    def _load(self, state: resuming.State) -> None:
        self._steps.load(state["steps"])
        resuming.set_random_state(state["random"])
        self.history = History(**state["history"])
        self.epoch, self._batch, self._waited = state["position"]
        self._losses = state["losses"]


def _judge(network: Network, validation: Validation) -> dict[str, float]:
    with torch.inference_mode():
        logits = validation.logits(network).double()
    # The last step of an epoch can spoil the weights after a loss that was still finite.
    check_finite(float(logits.abs().max()), "a validation output")
    probabilities = torch.softmax(logits, dim=1)
    scores = score(probabilities.numpy(), validation.labels.numpy())
    return {
        "val_loss": scores.nll,
        "val_accuracy": scores.accuracy,
        "val_macro_f1": scores.macro_f1,
    }


def _line(number: int, epochs: int, judged: Epoch) -> str:
    return (
        f"epoch {number + 1:>3}/{epochs}  train loss {judged['train_loss']:.4f}  "
        f"val loss {judged['val_loss']:.4f}  val accuracy {judged['val_accuracy']:.4f}  "
        f"val macro-F1 {judged['val_macro_f1']:.4f}"
    )
