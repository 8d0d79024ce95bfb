"""What tests left, and what that comes to: pure values, no pytest, no DSPy, no files."""
