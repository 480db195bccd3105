"""From rows and a network to a checkpoint."""
