"""The command-line options and ini keys: their names, kinds and help; every pytest start reads it."""
