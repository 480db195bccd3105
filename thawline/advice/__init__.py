"""Propose values for params.yaml, each from a rule of the guide and a measured figure."""
