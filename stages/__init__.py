"""The DVC stages, one thin script each, in the order of dvc.yaml."""
