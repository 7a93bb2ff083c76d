"""The project's own settings, each from an environment variable that begins with TRIPS_."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from pydantic import Field, create_model, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from guard.backoff import BackoffPolicy, Jitter
from guard.budget import BudgetPolicy
from guard.bulkhead import CALLS_AT_ONCE
from guard.policy import BreakerPolicy
from partners.catalogue import PARTNERS
from serving.client import Upstream
from trip.partner import Partner

Port = Annotated[int, Field(ge=1, le=65535)]

Positive = Annotated[float, Field(gt=0, le=86_400)]

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
        **{f"{partner.name}_retry_jitter": (Jitter | None, None) for partner in PARTNERS},
    )


class Oidc(NamedTuple):
    """The issuer of the front door's tokens, their audience, and the URL of the issuer's public keys."""

    issuer: str
    audience: str
    keys_url: str


class Settings(_OfPartners):
    """The settings of front door and worker. A name that ends in `_s` is in seconds.

    Each partner of the catalogue has a `NAME_url`, a `NAME_retry_jitter`, and what Upstream knows: a
    `NAME_token`, a `NAME_proxy`, and the files `NAME_ca_file`, `NAME_cert_file` and `NAME_key_file`.
    """

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    api_port: Port = 8000
    temporal_ui_url: str = "http://127.0.0.1:8233"
    lab: bool = False
    database_url: Annotated[str, Field(validation_alias="DATABASE_URL")] = (
        "postgresql://trips@127.0.0.1:5432/trips"
    )
    database_direct_url: str = ""

    currencies: tuple[str, ...] = ("JPY",)
    retry_base_s: Positive = 1
    retry_cap_s: Positive = 30
    retry_attempts: Annotated[int, Field(ge=1)] = 5
    retry_jitter: Jitter = Jitter.FULL
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
    audit_interval_s: Annotated[float, Field(ge=60, le=86_400)] = 3600
    upkeep_s: Annotated[float, Field(ge=1, le=3600)] = 20
    attention_s: Positive = 60
    backlog: Annotated[int, Field(ge=1)] = 10_000
    streams: Annotated[int, Field(ge=1, le=100_000)] = 2000
    waits: Annotated[int, Field(ge=0)] = 1000
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000_000)] = 12_000
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_keys_url: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""

    @model_validator(mode="after")
    def _policies_are_sound(self) -> Self:
        for partner in Partner:
            self.backoff(partner)
            self._check_reached(partner)
        self.retry_budget()
        self.oidc()
        return self

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
        oidc = Oidc(self.oidc_issuer, self.oidc_audience, self.oidc_keys_url)
        if all(oidc):
            return oidc
        if any(oidc):
            raise ValueError(
                "set TRIPS_OIDC_ISSUER, TRIPS_OIDC_AUDIENCE and TRIPS_OIDC_KEYS_URL, or none of them"
            )
        return None

    def retry_budget(self) -> BudgetPolicy:
        """How many retries a worker may send to a partner. Raises pydantic's ValidationError."""
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

    def backoff(self, partner: Partner) -> BackoffPolicy:
        """How calls to `partner` are retried. Raises pydantic's ValidationError."""
        own: Jitter | None = getattr(self, f"{partner.value}_retry_jitter")
        return BackoffPolicy(
            base_s=self.retry_base_s,
            cap_s=self.retry_cap_s,
            attempts=self.retry_attempts,
            jitter=own or self.retry_jitter,
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
