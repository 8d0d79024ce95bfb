"""Optimizers; programs compiled once; whether anything has changed."""
