"""Threads, tasks, event loops and child processes of a program: all of them work for its rollout."""
