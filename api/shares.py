"""How much of what is bounded one tenant may take: no more than half of what the others have left."""

import contextlib
from collections.abc import Iterator, Mapping


def may_take(own: int, taken: int, most: int, amount: int = 1) -> bool:
    """Whether a tenant that has `own` of the `taken` may take `amount` more, if there are `most`.

    It may if it then has no more than was left before. So whoever comes next finds something, and one who is
    alone gets half, rounded up.
    """
    return own + amount <= most - taken


class Shares:
    """What each tenant has taken of something that is bounded."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._own: dict[str, int] = {}
        self.taken = 0

    def may_take(self, tenant: str, amount: int = 1) -> bool:
        """Whether the tenant may take so much more."""
        return may_take(self._own.get(tenant, 0), self.taken, self._most, amount)

    def take(self, tenant: str, amount: int = 1) -> None:
        """Take so much, whether or not the tenant may."""
        self._own[tenant] = self._own.get(tenant, 0) + amount
        self.taken += amount

    def give_back(self, tenant: str, amount: int = 1) -> None:
        """Give back so much of what the tenant has taken, and no more than that."""
        own = self._own.get(tenant, 0)
        left = max(own - amount, 0)
        self.taken -= own - left
        if left:
            self._own[tenant] = left
        else:
            self._own.pop(tenant, None)

    def replace(self, own: Mapping[str, int]) -> None:
        """Forget what was taken: each tenant has this much."""
        self._own = dict(own)
        self.taken = sum(own.values())

    @contextlib.contextmanager
    def held(self, tenant: str, amount: int = 1) -> Iterator[None]:
        """Take so much while the context is open."""
        self.take(tenant, amount)
        try:
            yield
        finally:
            self.give_back(tenant, amount)
