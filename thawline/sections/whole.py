"""All of params.yaml."""

from typing import Annotated

from pydantic import Field

from thawline.sections.base import Section
from thawline.sections.data import Augment, Ingest, Rebalance
from thawline.sections.network import Model, Training
from thawline.sections.recipes import FineTune, TransferLearn
from thawline.sections.results import Budget, Compress, Evaluate, Gate, Tracking


class Params(Section):
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    ingest: Ingest
    rebalance: Rebalance
    augment: Augment
    model: Model
    training: Training
    transfer_learn: TransferLearn
    fine_tune: FineTune
    compress: Compress
    evaluate: Evaluate
    gate: Gate
    budget: Budget
    tracking: Tracking
