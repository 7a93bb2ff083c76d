"""The front door: accepts trips over REST, has them started, and shows their record."""
