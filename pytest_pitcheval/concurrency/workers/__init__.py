"""How many of xdist's workers evaluate: further ones are not started."""
