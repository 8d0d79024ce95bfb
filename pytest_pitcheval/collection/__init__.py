"""Markers and datasets into tests."""
