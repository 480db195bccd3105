"""The graph of stages, cache, and the code and inputs of results."""
