"""Rollouts in flight before their test runs."""
