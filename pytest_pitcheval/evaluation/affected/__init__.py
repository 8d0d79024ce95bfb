"""Examples that are not asked: nothing has changed that their scores in the baseline come from."""
