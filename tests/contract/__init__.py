"""What every plugin promises: found by themselves, so that a new one is checked too."""
