"""What a checkpoint is worth and what it costs: scores, speed, memory, pictures, report."""
