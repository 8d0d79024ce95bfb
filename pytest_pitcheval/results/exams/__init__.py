"""Judges held to people's labels: how far they agree, and whether that is enough."""
