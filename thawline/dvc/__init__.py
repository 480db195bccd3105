"""What DVC knows: the graph, its cache, the code and the inputs that a result is made of."""
