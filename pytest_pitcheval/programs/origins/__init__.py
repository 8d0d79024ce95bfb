"""What a test's scores come from, as far as its code can be followed: the same again, and nothing need be asked."""
