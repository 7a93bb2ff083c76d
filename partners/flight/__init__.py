"""The flight partner: seats on a day's flight, in a key-value store that speaks Redis's protocol."""
