"""The payment partner: card payments in a double-entry ledger, in PostgreSQL."""
