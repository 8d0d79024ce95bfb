"""The ``pitcheval`` command."""
