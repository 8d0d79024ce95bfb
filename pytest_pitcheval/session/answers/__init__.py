"""Answers in a file, at the end of a session: what is written, and what nobody asked for."""
