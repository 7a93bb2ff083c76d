"""The points partner: members, their households and their points, in a graph database."""
