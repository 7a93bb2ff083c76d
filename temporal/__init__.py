"""What the project asks of Temporal's server: start a trip, see to schedules, take over what was lost."""
