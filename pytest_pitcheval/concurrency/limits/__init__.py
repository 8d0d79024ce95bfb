"""What all processes of a session may send together: so much in a time, and so much in all."""
