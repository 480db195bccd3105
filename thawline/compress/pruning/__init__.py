"""Importance criteria, by which channels are pruned: one module each."""
