"""Define the commands around the pipeline: `thawline ...`."""
