"""`python -m trials.bench.growth [PART …]`: run the parts, print their tables, write `results/growth.json`.

The file keeps its figures of other parts. All parts take about twenty minutes on two cores. Exits 1 if a bar
is missed.
"""

import os
import sys
from dataclasses import replace
from functools import partial

from trials.bench.growth.page import REPORT
from trials.bench.growth.parts import PARTS, QUICK, Plan
from trials.report import Results, load_results, machine


async def measured(part: str, plan: Plan) -> Results:
    load = os.getloadavg()[0]
    print(f"\n{part}\n", flush=True)
    found = {"load": load, "is_quick": plan.is_quick} | await PARTS[part](plan)
    return load_results(REPORT.name) | {"about": machine(), part: found}


def main() -> int:
    parser = REPORT.parser("trials.bench.growth", __doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all if none is named")
    parser.add_argument("--trips", type=int, help=f"length of the memory run (default: {Plan.trips:,})")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else Plan()
    if arguments.trips:
        plan = replace(plan, trips=arguments.trips)
    # Each part is kept at once, so that a signal in the next one does not lose it.
    for part in [] if arguments.again else arguments.parts or PARTS:
        if status := REPORT.run(partial(measured, part, plan)):
            return status
    return REPORT.show(into_docs=arguments.docs)


if __name__ == "__main__":
    sys.exit(main())
