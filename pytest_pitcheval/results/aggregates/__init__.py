"""Metrics of a whole set of examples: computed of what records have, once, by whoever has them all."""
