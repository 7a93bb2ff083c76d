"""What the partners on PostgreSQL share: bounded access, their schema, and the life of a reservation."""
