"""Users' own metrics of a whole set: read from the fixture ``aggregates``, found again, called."""
