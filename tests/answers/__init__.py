"""What a partner may answer, from what is usable to what is hostile, and what the trips make of it."""
