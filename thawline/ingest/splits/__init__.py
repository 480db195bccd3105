"""Train, validation and test: brought by the set, or drawn by a hash."""
