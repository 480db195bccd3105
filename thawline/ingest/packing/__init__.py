"""Decode each image once, on all cores, and keep what was decoded."""
