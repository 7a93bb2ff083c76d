"""Settings of the processes, each from an environment variable."""
