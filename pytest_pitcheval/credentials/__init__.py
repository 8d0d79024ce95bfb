"""What is secret: by names, in LMs' arguments, in the environment, in addresses; and texts and records without it."""
