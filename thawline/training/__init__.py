"""Train networks: from rows and a network to a checkpoint."""
