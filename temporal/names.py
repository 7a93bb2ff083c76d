"""The names of the trips' search attributes, for those who have no Temporal client."""

TENANT, STATUS, PARTNER = NAMES = ("TripTenant", "TripStatus", "TripPartner")
