"""A test while it runs: what its fixtures do, rollouts ahead, error or failure."""
