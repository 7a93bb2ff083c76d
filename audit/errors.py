"""Why an audit could not be made."""


class AuditError(Exception):
    """Something that the audit must read does not answer, or not in its contract's words."""
