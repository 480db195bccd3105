"""All sections of params.yaml."""

from typing import Annotated

from pydantic import Field

from thawline.params.schema.base import Section
from thawline.params.schema.data import Augment, Ingest, Rebalance
from thawline.params.schema.network import Model, Training
from thawline.params.schema.recipes import FineTune, TransferLearn
from thawline.params.schema.results import Budget, Compress, Evaluate, Gate, Tracking


class Params(Section):
    """Whole content of params.yaml."""

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
