"""Propose values for a section of params.yaml: one module per section, named like it."""
