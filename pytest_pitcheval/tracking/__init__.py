"""MLflow, through a process with a deadline."""
