"""Files of a source: which count, and how they are opened."""
