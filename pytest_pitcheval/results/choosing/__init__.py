"""Methods and models of one test side by side: which are the best, and what each takes."""
