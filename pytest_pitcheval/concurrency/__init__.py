"""What processes and threads share: tests, slots, rate limits, what a crash leaves."""
