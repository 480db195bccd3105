"""What decides which channels go: one module per importance criterion."""
