"""What the examples of a test come to together, and what is missing."""
