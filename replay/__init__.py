"""Replays histories with the code as it is, which tells whether running workflows can go on with it."""
