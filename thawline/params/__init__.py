"""params.yaml: read once, checked whole, and edited in place."""
