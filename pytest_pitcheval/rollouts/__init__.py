"""Whose LM call is it: fresh, counted, replayable."""
