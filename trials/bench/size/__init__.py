"""The record at size: what reading, auditing, dropping and saving cost with a million trips in it."""
