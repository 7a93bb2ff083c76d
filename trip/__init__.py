"""The words that workflows, activities and the front door share. Pure models: no I/O in here."""
