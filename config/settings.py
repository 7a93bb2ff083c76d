"""The project's own settings, each from an environment variable that begins with TRIPS_."""

import re
from datetime import timedelta
from functools import lru_cache
from ipaddress import ip_network
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, create_model, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.codec import Codec, codec_of
from config.messaging import Messaging, Positive
from guard.budget import BudgetPolicy
from guard.bulkhead import CALLS_AT_ONCE
from guard.policy import BreakerPolicy
from partners.catalogue import PARTNERS
from record.retention import Keep
from serving.connections import MOST, MOST_OF_AN_ADDRESS
from serving.fields import Port
from serving.logs import Logging
from serving.upstream import Upstream
from trip.order import Coordination
from trip.partner import Partner

Days = Annotated[float, Field(gt=0, le=36_500)]

_REACHED_BY = ("token", "proxy", "ca_file", "cert_file", "key_file")
"""How a partner is reached, each by a setting of its own."""

if TYPE_CHECKING:
    _OfPartners = BaseSettings
else:
    _OfPartners = create_model(
        "_OfPartners",
        __base__=BaseSettings,
        **{f"{partner.name}_url": (str, f"http://127.0.0.1:{partner.port}") for partner in PARTNERS},
        **{f"{partner.name}_{how}": (str | None, None) for partner in PARTNERS for how in _REACHED_BY},
    )


_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Oidc(NamedTuple):
    """The issuer of the front door's tokens, their audience, and the URL of the issuer's public keys.

    `types` are what the header `typ` may be, and the claims are those that say scopes, tenant and members.
    """

    issuer: str
    audience: str
    keys_url: str
    types: tuple[str, ...] = ("at+jwt", "JWT")
    scope_claim: str = "scope"
    tenant_claim: str = "tenant"
    member_claim: str = "member_id"


class Settings(Messaging, Logging, _OfPartners):
    """The settings of front door and worker. A name that ends in `_s` is in seconds.

    Each partner of the catalogue has a `NAME_url`, a `NAME_retry_jitter`, and what Upstream knows: a
    `NAME_token`, a `NAME_proxy`, and the files `NAME_ca_file`, `NAME_cert_file` and `NAME_key_file`.
    """

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    api_port: Port = 8000
    root_path: Annotated[str, Field(pattern=r"^(/[\w.~-]+)*$")] = ""
    trusted_proxies: str = ""
    worker_port: Port | None = None
    trips_port: Port | None = None
    adapter_port: Port | None = None
    temporal_ui_url: str = "http://127.0.0.1:8233"
    lab: bool = False
    database_url: Annotated[str, Field(validation_alias="DATABASE_URL")] = (
        "postgresql://trips@127.0.0.1:5432/trips"
    )
    database_direct_url: str = ""
    database_connections: Annotated[int, Field(ge=1, le=1000)] | None = None
    coordination: Coordination = "orchestration"
    codec_keys: SecretStr = SecretStr("")
    codec_origin: Annotated[str, Field(pattern=r"^(https?://[^/]+)?$")] = ""

    currencies: tuple[str, ...] = ("JPY",)
    retry_budget_ratio: Annotated[float, Field(ge=0, le=1)] = 0.2
    retry_budget_min_per_s: Annotated[float, Field(gt=0, le=1_000_000)] = 10
    calls_at_once: Annotated[int, Field(ge=1, le=10_000)] = CALLS_AT_ONCE
    local_attempt_s: Annotated[float, Field(ge=0, le=10)] = 1
    breaker_window_s: Positive = 30
    breaker_min_calls: Annotated[int, Field(ge=1, le=10_000)] = 5
    breaker_failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    breaker_failures_in_a_row: Annotated[int, Field(ge=1, le=10_000)] = 10
    breaker_open_s: Positive = 600
    breaker_half_open_calls: Annotated[int, Field(ge=1, le=10_000)] = 1
    probe_interval_s: Annotated[float, Field(ge=1, le=3600)] = 10
    queues: Literal["all", "trips", "audits"] = "all"
    audit_interval_s: Annotated[float, Field(ge=60, le=86_400)] = 3600
    upkeep_s: Annotated[float, Field(ge=1, le=3600)] = 20
    build_id: Annotated[str, Field(pattern=r"^[\w.-]{0,64}$")] = ""
    attention_s: Positive = 60
    keep_events_days: Days | None = 30
    keep_attempts_days: Days | None = None
    keep_messages_days: Days | None = None
    keep_travellers_days: Days | None = None
    keep_undone_days: Days | None = None
    keep_acts_days: Annotated[float, Field(ge=31, le=36_500)] = 400
    backlog: Annotated[int, Field(ge=1)] = 20_000
    client_connections: Annotated[int, Field(ge=1, le=1_000_000)] = MOST
    client_connections_of_an_address: Annotated[int, Field(ge=1, le=1_000_000)] = MOST_OF_AN_ADDRESS
    streams: Annotated[int, Field(ge=1, le=100_000)] = 4000
    waits: Annotated[int, Field(ge=0)] = 2000
    members: Literal["any", "own"] = "any"
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000)] = 12_000
    refusals_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000)] = 600
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_keys_url: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    oidc_loopback: bool = False
    oidc_types: Annotated[tuple[str, ...], Field(min_length=1)] = ("at+jwt", "JWT")
    oidc_scope_claim: Annotated[str, Field(min_length=1)] = "scope"
    oidc_tenant_claim: Annotated[str, Field(min_length=1)] = "tenant"
    oidc_member_claim: Annotated[str, Field(min_length=1)] = "member_id"

    @model_validator(mode="after")
    def _policies_are_sound(self) -> Self:
        for partner in Partner:
            self.backoff(partner)
            self._check_reached(partner)
        self.retry_budget()
        self.oidc()
        self.codec()
        self.proxies()
        if self.coordination == "choreography" and not self.has_broker:
            raise ValueError("TRIPS_COORDINATION=choreography needs NATS_URL and TRIPS_SEAL_KEY")
        return self

    @property
    def has_broker(self) -> bool:
        """Whether trips can be choreographed: there are a broker, and a key that seals card tokens on it."""
        return bool(self.nats_url and self.seal_key.get_secret_value())

    def proxies(self) -> tuple[str, ...]:
        """The addresses and networks of proxies whose forwarded headers are taken. Raises ValueError."""
        given = [one.strip() for one in self.trusted_proxies.split(",") if one.strip()]
        try:
            return tuple(str(ip_network(one)) for one in given)
        except ValueError as error:
            raise ValueError(f"TRIPS_TRUSTED_PROXIES has no address or network there: {error}") from error

    def codec(self) -> Codec | None:
        """What encrypts payloads for Temporal, if there are keys. Raises ValueError."""
        return codec_of(self.codec_keys.get_secret_value())

    def keep(self) -> Keep:
        """For how long the record keeps what."""
        days = (getattr(self, f"keep_{kind}_days") for kind in Keep._fields)
        return Keep(*(None if one is None else timedelta(days=one) for one in days))

    @property
    def ui_origin(self) -> str:
        """The origin of the UI that payloads are decoded for."""
        parts = urlsplit(self.temporal_ui_url)
        return self.codec_origin or f"{parts.scheme}://{parts.netloc}"

    def connections(self, usual: int = 10) -> int:
        """How many connections to the record a process opens at most, beside those that listen."""
        return self.database_connections or usual

    @property
    def is_pooled(self) -> bool:
        """Whether the URL of the database may lead through a pooler."""
        return bool(self.database_direct_url)

    @property
    def listening_url(self) -> str:
        """PostgreSQL itself, for who listens to notices, or whose session has settings of its own."""
        return self.database_direct_url or self.database_url

    def oidc(self) -> Oidc | None:
        """The issuer of tokens, if there is one. Raises ValueError if only a part of it is set."""
        needed = (self.oidc_issuer, self.oidc_audience, self.oidc_keys_url)
        if all(needed):
            self._check_keys_url()
            return Oidc(
                *needed,
                types=self.oidc_types,
                scope_claim=self.oidc_scope_claim,
                tenant_claim=self.oidc_tenant_claim,
                member_claim=self.oidc_member_claim,
            )
        if any(needed):
            raise ValueError(
                "set TRIPS_OIDC_ISSUER, TRIPS_OIDC_AUDIENCE and TRIPS_OIDC_KEYS_URL, or none of them"
            )
        return None

    def _check_keys_url(self) -> None:
        # Whoever can change the keys on their way can sign any token.
        url = urlsplit(self.oidc_keys_url)
        is_loopback = self.oidc_loopback and url.hostname in _LOOPBACK
        if url.scheme != "https" and not is_loopback:
            raise ValueError(
                "TRIPS_OIDC_KEYS_URL must be an https URL; "
                "for tests on one machine, TRIPS_OIDC_LOOPBACK=1 takes http from 127.0.0.1"
            )

    def retry_budget(self) -> BudgetPolicy:
        """How many retries the workers may send to a partner. Raises pydantic's ValidationError."""
        return BudgetPolicy(ratio=self.retry_budget_ratio, min_per_s=self.retry_budget_min_per_s)

    def breaker_policy(self) -> BreakerPolicy:
        """When any partner's breaker opens and closes."""
        return BreakerPolicy(
            window_s=self.breaker_window_s,
            min_calls=self.breaker_min_calls,
            failure_rate=self.breaker_failure_rate,
            failures_in_a_row=self.breaker_failures_in_a_row,
            open_s=self.breaker_open_s,
            half_open_calls=self.breaker_half_open_calls,
        )

    def partner_url(self, partner: Partner) -> str:
        """The base URL of `partner`, without a slash at the end."""
        url: str = getattr(self, f"{partner.value}_url")
        return url.rstrip("/")

    def upstream(self, partner: Partner) -> Upstream:
        """Where `partner` is served, and how it is reached."""
        given = {how: getattr(self, f"{partner.value}_{how}") or None for how in _REACHED_BY}
        return Upstream(self.partner_url(partner), **given)

    def upstreams(self) -> dict[Partner, Upstream]:
        """Those of all partners."""
        return {partner: self.upstream(partner) for partner in Partner}

    def _check_reached(self, partner: Partner) -> None:
        upstream, name = self.upstream(partner), f"TRIPS_{partner.upper()}"
        for setting, url in (("URL", upstream.url), ("PROXY", upstream.proxy)):
            if url is not None and not re.fullmatch(r"https?://[!-~]+", url):
                raise ValueError(f"{name}_{setting} must be an http or https URL, without spaces or newlines")
        if not re.fullmatch(r"[!-~]*", upstream.token or ""):
            raise ValueError(f"{name}_TOKEN has a space, a newline or something else that no header takes")
        if upstream.key_file and not upstream.cert_file:
            raise ValueError(f"{name}_KEY_FILE needs its certificate; set {name}_CERT_FILE")
        try:
            upstream.tls()
        except OSError as error:
            files = f"{name}_CA_FILE, {name}_CERT_FILE or {name}_KEY_FILE"
            raise ValueError(f"{files} cannot be used: {error}") from error


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process. They are read once."""
    return Settings()
