"""Decode each image once, on all cores, and cache what was decoded."""
