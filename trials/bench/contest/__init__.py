"""This project beside its peers: the same trips, the same partners, the same machine, turn by turn."""
