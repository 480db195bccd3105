"""Publish, gate, promote and restore registered models."""
