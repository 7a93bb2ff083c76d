"""What of a system its user can choose: ports, the directory, the host and how many workers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from partners.catalogue import PARTNERS
from serving.fields import Port
from stack.ports import LOOPBACK, free_port
from trip.partner import Partner

if TYPE_CHECKING:
    _PartnerPorts = BaseSettings
else:
    _PartnerPorts = create_model(
        "_PartnerPorts",
        __base__=BaseSettings,
        **{f"{partner.name}_port": (Port, partner.port) for partner in PARTNERS},
    )


class Ports(_PartnerPorts):
    """The ports that can be chosen, among them a `NAME_port` for each partner; engines take free ones."""

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore")

    api_port: Port = 8000
    temporal_port: Port = 7233
    temporal_ui_port: Port = 8233
    temporal_metrics_port: Port | None = None
    nats_port: Annotated[Port, Field(default_factory=free_port)]
    worker_port: Port | None = None
    trips_port: Annotated[Port, Field(default_factory=free_port)]

    def partner(self, partner: Partner) -> int:
        """The port of a bundled partner."""
        port: int = getattr(self, f"{partner.value}_port")
        return port


class Chosen(BaseSettings):
    """The other settings of `make up`."""

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore")

    data_dir: Path = Path(".data")
    host: str = LOOPBACK
    workers: Annotated[int, Field(ge=1, le=64)] = 1


def free_ports() -> Ports:
    """Free ports for everything, for a system beside others."""
    return Ports.model_validate({name: free_port() for name in Ports.model_fields if name != "worker_port"})
