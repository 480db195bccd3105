"""What the training rows are: one module a strategy, `plan(labels, num_classes, *, rng, options) -> Plan`."""
