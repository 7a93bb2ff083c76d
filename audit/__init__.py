"""The consistency audit: Temporal's view, the trips' record and all five partners against each other."""
