"""Prune channels first whose weights are small beside all larger ones in their layer (LAMP).

Source: J. Lee et al., 2021, "Layer-adaptive sparsity for the magnitude-based pruning".
"""

from torch_pruning.pruner.importance import Importance, LAMPImportance


def importance() -> Importance:
    """Rank by the sum of w^2 over that of all channels at least as large; for scope global."""
    return LAMPImportance()
