"""``pitcheval init``: a suite to begin with, made for a program or copied from an example."""
