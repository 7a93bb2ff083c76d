"""The consistency audit: Temporal's view, the trips' record and all partners against each other."""
