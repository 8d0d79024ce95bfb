"""What of DSPy is seen to in another way while there are rollouts."""
