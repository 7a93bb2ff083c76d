"""Breaks a whole system while trips are booked through it, and shows that every trip ends whole or undone."""
