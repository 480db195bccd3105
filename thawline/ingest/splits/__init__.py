"""Split into train, validation and test: predefined by the set, or drawn by a hash."""
