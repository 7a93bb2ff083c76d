"""The project's own settings, each from an environment variable that begins with TRIPS_."""

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from pydantic import Field, create_model, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from guard.backoff import BackoffPolicy, Jitter
from guard.budget import BudgetPolicy
from guard.policy import BreakerPolicy
from partners.catalogue import PARTNERS
from trip.partner import Partner

Port = Annotated[int, Field(ge=1, le=65535)]

Positive = Annotated[float, Field(gt=0, le=86_400)]

if TYPE_CHECKING:
    _OfPartners = BaseSettings
else:
    _OfPartners = create_model(
        "_OfPartners",
        __base__=BaseSettings,
        **{f"{partner.name}_url": (str, f"http://127.0.0.1:{partner.port}") for partner in PARTNERS},
        **{f"{partner.name}_token": (str | None, None) for partner in PARTNERS},
        **{f"{partner.name}_retry_jitter": (Jitter | None, None) for partner in PARTNERS},
    )


class Oidc(NamedTuple):
    """The issuer of the front door's tokens, their audience, and the URL of the issuer's public keys."""

    issuer: str
    audience: str
    keys_url: str


class Settings(_OfPartners):
    """The settings of front door and worker. A name that ends in `_s` is in seconds.

    Each partner of the catalogue has a `NAME_url`, a `NAME_token` and a `NAME_retry_jitter`.
    """

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore")

    host: str = "127.0.0.1"
    api_port: Port = 8000
    temporal_ui_url: str = "http://127.0.0.1:8233"
    lab: bool = False
    database_url: Annotated[str, Field(validation_alias="DATABASE_URL")] = (
        "postgresql://trips@127.0.0.1:5432/trips"
    )

    currencies: tuple[str, ...] = ("JPY",)
    retry_base_s: Positive = 1
    retry_cap_s: Positive = 30
    retry_attempts: Annotated[int, Field(ge=1)] = 5
    retry_jitter: Jitter = Jitter.FULL
    retry_budget_ratio: Annotated[float, Field(ge=0, le=1)] = 0.2
    retry_budget_min_per_s: Annotated[float, Field(gt=0, le=1_000_000)] = 10
    local_attempt_s: Annotated[float, Field(ge=0, le=10)] = 1
    breaker_window_s: Positive = 30
    breaker_min_calls: Annotated[int, Field(ge=1, le=10_000)] = 5
    breaker_failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    breaker_failures_in_a_row: Annotated[int, Field(ge=1, le=10_000)] = 10
    breaker_open_s: Positive = 600
    breaker_half_open_calls: Annotated[int, Field(ge=1, le=10_000)] = 1
    probe_interval_s: Annotated[float, Field(ge=1, le=3600)] = 10
    audit_interval_s: Annotated[float, Field(ge=60, le=86_400)] = 3600
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
        self.retry_budget()
        self.oidc()
        return self

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

    def partner_token(self, partner: Partner) -> str | None:
        """The bearer token for calls to `partner`, if there is one."""
        token: str | None = getattr(self, f"{partner.value}_token")
        return token or None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process. They are read once."""
    return Settings()
