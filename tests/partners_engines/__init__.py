"""What the engines of hotel, flight and points must keep, each tried on an engine of its own."""
