"""The end of a session: what its tests came to, what is written of that, and the end of its process."""
