"""Compare Thawline with nothing set against other tools, on image sets that anybody can get."""
