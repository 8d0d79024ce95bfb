"""The state of a pytest process; the side that hears of tests."""
