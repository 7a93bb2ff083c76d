"""The hotel partner: rooms by the night, in a document database that speaks MongoDB's protocol."""
