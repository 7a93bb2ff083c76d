"""`python -m audit` audits a running system: exit status 0 clean, 1 any discrepancy, 2 not auditable."""

import argparse
import asyncio
import sys

from audit.endpoints import find_endpoints
from audit.report import printed
from audit.run import AuditError, audit


def main() -> int:
    """Audit the system that the environment or the data directory names; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m audit", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    arguments = parser.parse_args()
    try:
        report = asyncio.run(audit(find_endpoints()))
    except (AuditError, ValueError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    print(report.model_dump_json(indent=2) if arguments.json else printed(report))
    return 1 if report.discrepancies else 0


if __name__ == "__main__":
    sys.exit(main())
