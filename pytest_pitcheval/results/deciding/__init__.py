"""What a run is held to, and whether it holds: limits and evidence in, decided gates out."""
