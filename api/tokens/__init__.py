"""Who calls the front door, and what they may do."""
