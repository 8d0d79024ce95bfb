"""The example of a running test: its row, with the types that its program declares."""
