"""The values of rows as programs take them: files have texts, numbers, lists and objects alone."""
