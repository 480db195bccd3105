"""What every process of the project needs: workspace, locks, safe readers, progress."""
