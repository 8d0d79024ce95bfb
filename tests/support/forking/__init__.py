"""xdist's workers of runs inside this process, forked from a process that has imported DSPy, as this one has."""
