"""Prune channels first whose weights have a small sum of magnitudes.

Source: H. Li et al., 2017, "Pruning filters for efficient ConvNets".
"""

from torch_pruning.pruner.importance import GroupMagnitudeImportance, Importance


def importance() -> Importance:
    """Rank by the sum of |w|, averaged over layers that lose the channel, over the group's mean."""
    return GroupMagnitudeImportance(p=1)
