"""Prune channels first that batch norm scales by little.

Source: Z. Liu et al., 2017, "Learning efficient convolutional networks through network slimming".
"""

from torch_pruning.pruner.importance import BNScaleImportance, Importance


def importance() -> Importance:
    """Rank channels by |gamma| of the batch norm behind them; those without one stay."""
    return BNScaleImportance()
