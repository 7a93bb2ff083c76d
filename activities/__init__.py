"""Everything of a trip that touches the world: the partners' services and the record."""
