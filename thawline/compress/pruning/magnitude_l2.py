"""Channels whose weights have a small norm go first; G. Fang et al., 2023, "DepGraph: towards any
structural pruning".
"""

from torch_pruning.pruner.importance import GroupMagnitudeImportance, Importance


def importance() -> Importance:
    """Mean over the layers that lose the channel together of sum w^2, over the group's mean."""
    return GroupMagnitudeImportance(p=2)
