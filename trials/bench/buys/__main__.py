"""`python -m trials.bench.buys`: run the variants, print their tables, write `results/buys.json`.

Takes about twelve minutes on two cores. Exits 1 if a trip came to harm with all mechanisms at work.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict

from trials.bench.buys.measure import measured
from trials.bench.buys.page import REPORT
from trials.bench.buys.plan import QUICK, Plan
from trials.bench.buys.variants import VARIANTS, Variant
from trials.report import Results, machine


async def run(variants: Sequence[Variant], plan: Plan) -> Results:
    rows = []
    for variant in variants:
        rows.append(await measured(variant, plan))
        print(f"{variant.title}: {rows[-1]['outcomes']}", flush=True)
    return {"about": machine() | {"plan": asdict(plan)}, "rows": rows}


def main() -> int:
    parser = REPORT.parser("trials.bench.buys", __doc__)
    names = [variant.name for variant in VARIANTS]
    parser.add_argument("variants", nargs="*", choices=[*names, []], help="all if none is named")
    arguments = parser.parse_args()
    chosen = [one for one in VARIANTS if not arguments.variants or one.name in arguments.variants]
    plan = QUICK if arguments.quick else Plan()
    status = 0 if arguments.again else REPORT.run(lambda: run(chosen, plan))
    return status or REPORT.show(into_docs=arguments.docs)


if __name__ == "__main__":
    sys.exit(main())
