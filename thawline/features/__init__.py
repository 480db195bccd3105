"""Features of a frozen network, and what is decided from them."""
