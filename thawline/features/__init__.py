"""Features of a frozen network, and choices that are made by them."""
