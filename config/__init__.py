"""What the processes are told from outside, each from an environment variable."""
