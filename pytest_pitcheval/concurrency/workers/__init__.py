"""How many of xdist's workers evaluate: further ones are held back before they import anything."""
