"""Prune channels first whose weights have a small norm.

Source: G. Fang et al., 2023, "DepGraph: towards any structural pruning".
"""

from torch_pruning.pruner.importance import GroupMagnitudeImportance, Importance


def importance() -> Importance:
    """Rank by the sum of w^2, averaged over layers that lose the channel, over the group's mean."""
    return GroupMagnitudeImportance(p=2)
