"""`python -m audit` audits a running system: exit status 0 clean, 1 any discrepancy, 2 not auditable."""

import argparse
import asyncio
import sys

from audit.endpoints import find_endpoints
from audit.errors import AuditError
from audit.report import Report, printed
from audit.run import audit
from audit.windows import audit_new, begin_afresh


async def _audit(arguments: argparse.Namespace) -> Report:
    endpoints = find_endpoints()
    if arguments.afresh:
        await begin_afresh(endpoints)
    return await (audit_new if arguments.new or arguments.afresh else audit)(endpoints)


def main() -> int:
    """Audit the system that the environment or the data directory names; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m audit", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--new", action="store_true", help="only what came since, as the schedule does")
    which.add_argument("--afresh", action="store_true", help="as --new, from the first trip on")
    arguments = parser.parse_args()
    try:
        report = asyncio.run(_audit(arguments))
    except (AuditError, ValueError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    print(report.model_dump_json(indent=2) if arguments.json else printed(report))
    return 1 if report.discrepancies else 0


if __name__ == "__main__":
    sys.exit(main())
