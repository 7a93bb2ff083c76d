"""What is left out of a partner's declaration, or taken already, is named before anything is served."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import APIRouter
from pydantic import ValidationError

from config.settings import Settings
from partners.catalogue import PARTNERS, STAYS, CatalogueError, distinct, named
from partners.declaration import Declaration, Stay
from partners.service import load
from stack.chosen import Ports
from stack.postgres import PARTNERS_HERE, RECORD, SUPERUSER
from stack.system import ROOT, System
from tests.examples.car.declaration import STAY as CAR
from tests.examples.car.declaration import CarRental
from tests.examples.car.service import service as car_service
from trip.order import distinct_from_own

REQUIRED = [
    field.name for field in fields(Stay) if field.default is MISSING and field.default_factory is MISSING
]
CODE = ("activities", "api", "audit", "config", "guard", "record", "serving", "stack", "trip", "workflows")
NAMES = {stay.name for stay in STAYS}
PER_PARTNER = re.compile(r"_(url|token|retry_jitter|port)$")


SAMPLE = replace(CAR, name="sample", port=1)
"""A stay that is in no catalogue, even if the car is."""

SERVICE = replace(car_service, declaration=SAMPLE)


def declared(**changes: Any) -> Stay[Any]:
    """The sample's declaration, made anew; what is given as None is left out."""
    given = {field.name: getattr(SAMPLE, field.name) for field in fields(SAMPLE)} | changes
    return Stay(**{name: value for name, value in given.items() if value is not None})


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_left_out_of_a_declaration_is_named(name: str) -> None:
    with pytest.raises(ValidationError) as refused:
        declared(**{name: None})
    assert [(error["loc"], error["type"]) for error in refused.value.errors()] == [((name,), "missing")]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("name", "Car Rental", "name"),
        ("title", "", "title"),
        ("port", 70_000, "port"),
        ("engine", "sqlite", "engine"),
        ("body", dict, "body"),
        ("attempt_s", 0, "attempt_s"),
        ("summary", lambda body: "", "sample: summary"),
        ("claims", lambda body: [], "sample: claims"),
        ("claims", lambda body: [(body.car_id, body.pick_up, 1)], "sample: claims"),
        ("example", STAYS[0].example, "sample: example"),
        ("plenty", lambda first: {}, "sample: plenty"),
    ],
)
def test_what_does_not_work_in_a_declaration_is_named(name: str, value: Any, said: str) -> None:
    with pytest.raises((ValidationError, TypeError), match=said):
        declared(**{name: value})


def test_names_and_ports_are_given_once() -> None:
    assert distinct([*PARTNERS, SAMPLE])[-1] is SAMPLE
    for field in ("name", "port"):
        taken = getattr(STAYS[0], field)
        with pytest.raises(CatalogueError, match=f"the same {field}: {taken}"):
            distinct([*PARTNERS, replace(SAMPLE, **{field: taken})])


@pytest.mark.parametrize("name", ["traveller", "points", "payment", "deadline_s", "model_dump"])
def test_a_stay_cannot_have_the_name_of_an_orders_own_field(name: str) -> None:
    distinct_from_own(["car"])
    with pytest.raises(CatalogueError, match=name):
        distinct_from_own(["car", name])


def module(monkeypatch: pytest.MonkeyPatch, name: str, **contents: object) -> None:
    """Put a module of the sample's folder in place."""
    made = ModuleType(f"partners.sample.{name}")
    vars(made).update(contents)
    monkeypatch.setitem(sys.modules, "partners.sample", ModuleType("partners.sample"))
    monkeypatch.setitem(sys.modules, made.__name__, made)


def test_a_folder_declares_a_stay_of_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match=r"partners\.sample"):
        named("sample")
    module(monkeypatch, "declaration")
    with pytest.raises(CatalogueError, match=r"partners/sample/declaration.py has no STAY"):
        named("sample")
    module(monkeypatch, "declaration", STAY=replace(SAMPLE, name="van"))
    with pytest.raises(CatalogueError, match="partners/sample declares the name van"):
        named("sample")
    module(monkeypatch, "declaration", STAY=SAMPLE)
    assert named("sample") == (SAMPLE,)


def test_a_folder_has_a_service_with_its_audit_view(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match=r"partners\.sample"):
        load(SAMPLE)
    for service, said in (
        (None, "has no `service`"),
        (replace(SERVICE, declaration=STAYS[0]), "serves another declaration, that of hotel"),
        (replace(SERVICE, audit=lambda store: APIRouter()), "serves no /inventory"),
    ):
        module(monkeypatch, "service", service=service)
        with pytest.raises(CatalogueError, match=rf"partners\.sample\.service {said}"):
            load(SAMPLE)
    module(monkeypatch, "service", service=SERVICE)
    assert load(SAMPLE) is SERVICE


@pytest.mark.parametrize("partner", PARTNERS, ids=lambda partner: partner.name)
def test_every_partner_has_a_service(partner: Declaration[Any]) -> None:
    assert load(partner).declaration is partner


def taken_names(place: Path) -> set[str]:
    """Names that the system gives to other things: processes, roles, and what settings begin with."""
    partners = {partner.name for partner in PARTNERS}
    processes = [part.name for part in System(place, Ports(), workers=2).parts()]
    assert len(processes) == len(set(processes))
    own = {*Settings.__annotations__, *Ports.__annotations__}
    settings = {PER_PARTNER.sub("", name) for name in own if PER_PARTNER.search(name)}
    return {*processes} - partners | settings | {RECORD, SUPERUSER}


def test_no_partner_has_a_name_that_is_taken(tmp_path: Path) -> None:
    taken = taken_names(tmp_path)
    assert {"api", "postgres", "temporal", "temporal_ui", "trips"} <= taken
    assert {partner.name for partner in PARTNERS} & taken == set()
    assert set(PARTNERS_HERE) <= {partner.name for partner in PARTNERS}


def test_no_two_processes_have_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Ports.model_fields:
        monkeypatch.delenv(f"TRIPS_{name.upper()}", raising=False)
    ports = [port for port in Ports().model_dump().values() if port is not None]
    assert len(ports) == len(set(ports)) > len(PARTNERS)


def words(path: Path) -> Iterator[str]:
    """Every string in a Python file, or in quotes in a script."""
    if path.suffix == ".py":
        tree = ast.walk(ast.parse(path.read_text()))
        yield from (node.value for node in tree if isinstance(node, ast.Constant) and node.value in NAMES)
    else:
        yield from (found for found in re.findall(r"""["'`](\w+)["'`]""", path.read_text()) if found in NAMES)


def test_no_code_outside_its_folder_names_a_stay() -> None:
    files = [ROOT / "worker.py", *(path for room in CODE for path in (ROOT / room).rglob("*.*"))]
    code = [path for path in files if path.suffix in (".py", ".js", ".html") and "deploy" not in path.parts]
    assert len(code) > 100
    assert {str(path.relative_to(ROOT)): found for path in code if (found := set(words(path)))} == {}


def test_a_rental_claims_its_cars_for_every_day_but_the_last() -> None:
    rental = CarRental.model_validate(
        {"car_id": "VAN", "pick_up": "2030-01-31", "return_by": "2030-02-02", "cars": 3}
    )
    assert [tuple(claim) for claim in CAR.claims(rental)] == [
        ("VAN", date(2030, 1, 31), 3),
        ("VAN", date(2030, 2, 1), 3),
    ]
    with pytest.raises(ValidationError, match="1 to 30 days after pick_up"):
        CarRental.model_validate(rental.model_dump() | {"return_by": rental.pick_up})
