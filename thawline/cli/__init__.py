"""`thawline ...`: the commands around the pipeline."""
