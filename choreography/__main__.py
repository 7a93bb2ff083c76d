"""`python -m choreography trips`: keep the trips' rows of what partners tell.

`python -m choreography hotel` and so on: serve a bundled partner, as `python -m partners hotel` does. With
NATS_URL the partner listens to messages, too. `python -m choreography adapter hotel` and so on: take part for
a partner that speaks HTTP alone. `python -m choreography asyncapi` prints the document of the messages.
"""

import sys
from importlib import import_module

from partners.catalogue import PARTNERS

_COMMANDS = {
    "trips": "choreography.trips",
    "asyncapi": "choreography.asyncapi",
    **{partner.name: "choreography.partner" for partner in PARTNERS},
    **{f"adapter {partner.name}": "choreography.adapter" for partner in PARTNERS},
}
"""Each command, and the module whose `main` it calls. No process loads what another one needs."""

if __name__ == "__main__":
    module = _COMMANDS.get(" ".join(sys.argv[1:]))
    if module is None:
        sys.exit(f"usage: python -m choreography {'|'.join(_COMMANDS)}")
    import_module(module).main()
