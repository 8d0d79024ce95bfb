"""Several models, or several judges of an exam, side by side: as rows and words that are the same in all reports."""
