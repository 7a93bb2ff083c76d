"""The two kinds of saga beside each other: what each costs, and what becomes of trips if something dies."""
