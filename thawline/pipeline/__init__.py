"""Runs of the pipeline: `thawline run`, and what every stage does around its work."""
