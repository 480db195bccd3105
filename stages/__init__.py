"""Stages of dvc.yaml, one thin script each."""
