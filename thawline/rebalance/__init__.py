"""Strategies that rebalance rows: a module each, `plan(labels, num_classes, *, rng, options)`."""
