"""The front door: takes trips over REST, starts their workflows, shows their record."""
