"""Channels that batch norm scales by little go first; Z. Liu et al., 2017, "Learning efficient
convolutional networks through network slimming".
"""

from torch_pruning.pruner.importance import BNScaleImportance, Importance


def importance() -> Importance:
    """|gamma| of the batch norm behind a channel; channels without one stay."""
    return BNScaleImportance()
