"""A run told to people and machines."""
