"""Evaluate checkpoints: scores, speed, memory, charts, report."""
