"""A model's name into a ``dspy.LM``, and what its failures mean."""
