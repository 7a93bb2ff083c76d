"""What a partner's folder hands to the shared frame: each exports one `service` of this kind."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute

from partners.catalogue import CatalogueError
from partners.declaration import Declaration, Stay
from partners.store import Store

S = TypeVar("S", bound=Store[Any])


@dataclass(frozen=True, kw_only=True)
class PartnerService(Generic[S]):
    """One partner: its declaration, how to open its store, and what it serves for the audit.

    `open(engine_url, hold_s)` gives the store, with schema and sample data in place; leaving it closes the
    store. `engine_errors` are what the engine's client raises if the engine is away or overloaded. They are
    answered 503, as TimeoutError and OSError are.
    """

    declaration: Declaration[Any]
    engine_errors: tuple[type[Exception], ...]
    open: Callable[[str, float], AbstractAsyncContextManager[S]]
    audit: Callable[[S], APIRouter]

    @property
    def away(self) -> tuple[type[Exception], ...]:
        """What says that the engine is away: its client's errors, and those of any connection."""
        return (TimeoutError, OSError, *self.engine_errors)


def load(declaration: Declaration[Any]) -> PartnerService[Any]:
    """The service in the partner's folder. Raises CatalogueError and ImportError, with the partner's name."""
    name = f"partners.{declaration.name}.service"
    service = getattr(import_module(name), "service", None)
    if not isinstance(service, PartnerService):
        raise CatalogueError(f"{name} has no `service`")
    if service.declaration is not declaration:
        raise CatalogueError(f"{name} serves another declaration, that of {service.declaration.name}")
    if isinstance(declaration, Stay) and "/inventory" not in _paths(service):
        raise CatalogueError(f"{name} serves no /inventory, which the audit reads")
    return service


def _paths(service: PartnerService[Any]) -> set[str]:
    # The store is not asked for anything until a route is called.
    return {route.path for route in service.audit(None).routes if isinstance(route, APIRoute)}
