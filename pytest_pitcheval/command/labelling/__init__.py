"""Answers of a run labelled by people: blind, with one key each, in the terminal or on a page."""
