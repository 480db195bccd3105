"""What the training rows are: a module a strategy, `plan(labels, num_classes, *, rng, options)`."""
