"""Channels whose weights are small in sum go first; H. Li et al., 2017, "Pruning filters for
efficient ConvNets".
"""

from torch_pruning.pruner.importance import GroupMagnitudeImportance, Importance


def importance() -> Importance:
    """Mean over the layers that lose the channel together of sum |w|, over the group's mean."""
    return GroupMagnitudeImportance(p=1)
