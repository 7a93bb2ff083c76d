"""How the processes connect to Temporal."""

from datetime import timedelta
from typing import Any

from temporalio.client import GrpcCompression
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter
from temporalio.envconfig import ClientConfig

RPC_TIMEOUT = timedelta(seconds=15)

_PYDANTIC = PydanticPayloadConverter()


class SharedPydanticConverter(CompositePayloadConverter):
    """Pydantic's converter, made once. The SDK would make one for every activation of a workflow."""

    def __init__(self) -> None:
        super().__init__(*_PYDANTIC.converters.values())


DATA_CONVERTER = DataConverter(payload_converter_class=SharedPydanticConverter)


def client_options() -> dict[str, Any]:
    """Arguments of `Client.connect`: those of the TEMPORAL_* environment, and no compression.

    Messages have a few kilobytes. To compress them costs worker and server more than to send them.
    """
    options: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    options.setdefault("target_host", "127.0.0.1:7233")
    return options | {"data_converter": DATA_CONVERTER, "grpc_compression": GrpcCompression.NONE}
