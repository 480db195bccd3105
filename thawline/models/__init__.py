"""Networks: architectures, weights, checkpoints, devices."""
