"""Small weights go first, by what they are of all larger ones in their layer; J. Lee et al., 2021,
"Layer-adaptive sparsity for the magnitude-based pruning".
"""

from torch_pruning.pruner.importance import Importance, LAMPImportance


def importance() -> Importance:
    """Sum w^2 over that of the channels that are at least as large; meant for scope global."""
    return LAMPImportance()
