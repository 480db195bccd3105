"""Read params.yaml once, check all of it, and edit it in place."""
