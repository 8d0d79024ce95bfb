"""Answers of LMs and tools that are kept in a file, and taken from one in place of asking."""
