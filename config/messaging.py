"""The settings of whoever listens to messages: the broker, and how what fails is tried again."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, SecretStr, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from guard.backoff import BackoffPolicy, Jitter
from partners.catalogue import PARTNERS
from trip.partner import Partner

Positive = Annotated[float, Field(gt=0, le=86_400)]

if TYPE_CHECKING:
    _Jitters = BaseSettings
else:
    _Jitters = create_model(
        "_Jitters",
        __base__=BaseSettings,
        **{f"{partner.name}_retry_jitter": (Jitter | None, None) for partner in PARTNERS},
    )


class Messaging(_Jitters):
    """The settings, each from an environment variable. Each partner has a `NAME_retry_jitter`."""

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore", hide_input_in_errors=True)

    nats_url: Annotated[
        str, Field(validation_alias="NATS_URL", pattern=r"^((nats|tls)://[^\s,]+(,|$))*$")
    ] = ""
    nats_replicas: Annotated[int, Field(ge=1, le=5)] = 1
    seal_key: SecretStr = SecretStr("")
    retry_base_s: Positive = 1
    retry_cap_s: Positive = 30
    retry_attempts: Annotated[int, Field(ge=1)] = 5
    retry_jitter: Jitter = Jitter.FULL

    def backoff(self, partner: Partner) -> BackoffPolicy:
        """How calls to `partner` are retried. Raises pydantic's ValidationError."""
        own: Jitter | None = getattr(self, f"{partner.value}_retry_jitter")
        return BackoffPolicy(
            base_s=self.retry_base_s,
            cap_s=self.retry_cap_s,
            attempts=self.retry_attempts,
            jitter=own or self.retry_jitter,
        )
