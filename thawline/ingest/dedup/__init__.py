"""Copies, near copies and pictures under two labels."""
