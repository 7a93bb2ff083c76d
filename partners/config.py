"""A partner process's settings, read from the environment."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from partners.catalogue import PARTNERS

PORTS = {partner.name: partner.port for partner in PARTNERS}


class PartnerConfig(BaseSettings):
    """`port`, `engine_url` and `token` are the partner's own (TRIPS_HOTEL_PORT …), the rest is shared."""

    model_config = SettingsConfigDict(frozen=True)

    port: Annotated[int, Field(ge=1, le=65_535)]
    engine_url: SecretStr
    token: SecretStr | None = None
    host: Annotated[str, Field(validation_alias="TRIPS_HOST")] = "127.0.0.1"
    lab: Annotated[bool, Field(validation_alias="TRIPS_LAB")] = False
    hold_s: Annotated[float, Field(validation_alias="TRIPS_HOLD_S", gt=0, le=86_400)] = 900.0

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first; what the constructor is given are defaults."""
        return env_settings, init_settings


def read_config(name: str) -> PartnerConfig:
    """The settings of the partner `name`. Raises pydantic's ValidationError."""
    return PartnerConfig(_env_prefix=f"TRIPS_{name.upper()}_", port=PORTS[name])
