"""One style for every chart."""
