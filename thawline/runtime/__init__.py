"""Provide what every process needs: workspace, locks, safe readers, progress."""
