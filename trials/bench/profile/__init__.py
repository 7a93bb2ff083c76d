"""Where the CPU time of a trip goes, by process and by kind of work."""
