"""What DVC is told of the code that results are made by."""
