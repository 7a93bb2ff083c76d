"""What figures, logs and traces cost."""
