"""What a session starts with: which process this is, and the runs, baselines and models that options name."""
