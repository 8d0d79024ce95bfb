"""What options and ini keys ask for, as frozen values."""
