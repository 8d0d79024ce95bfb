"""Decisions before the end of a run: what the rest can still change, and looks at a part of the examples."""
