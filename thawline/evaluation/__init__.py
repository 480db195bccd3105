"""What a checkpoint is worth and what it costs: scores, calibration, speed, memory, pictures, report."""
