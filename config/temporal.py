"""How the processes connect to Temporal."""

import logging
import socket
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Self

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.client import GrpcCompression
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, PydanticPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    SerializationContext,
)
from temporalio.envconfig import ClientConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from config.codec import Codec
from serving import tracing
from serving.figures import SECONDS
from trip.figures import SETTLE, UNDO

RPC_TIMEOUT = timedelta(seconds=15)

_PYDANTIC = PydanticPayloadConverter()
_JSON = PydanticJSONPlainPayloadConverter()


class SharedPydanticConverter(CompositePayloadConverter):
    """Pydantic's converter, made once. The SDK would make one for every activation of a workflow."""

    def __init__(self) -> None:
        super().__init__(*_PYDANTIC.converters.values())

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """As any converter's. The SDK's asks five of them for each value, and a model is one for the last."""
        model = values[0] if len(values) == 1 else None
        if isinstance(model, BaseModel) and (payload := _JSON.to_payload(model)) is not None:
            return [payload]
        return super().to_payloads(values)


class PlainDataConverter(DataConverter):
    """Without the SDK's steps for storage outside of Temporal, which there is none of.

    Neither does it make a converter for each value that it converts: ours do not ask what the value is of.
    """

    def with_context(self, context: SerializationContext) -> Self:  # noqa: ARG002  the SDK's method
        return self

    async def encode(self, values: Sequence[Any]) -> list[Payload]:
        payloads = self.payload_converter.to_payloads(values)
        return await self.payload_codec.encode(payloads) if self.payload_codec else payloads

    async def decode(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        in_clear = await self.payload_codec.decode(payloads) if self.payload_codec else payloads
        return self.payload_converter.from_payloads(in_clear, type_hints)


def data_converter(codec: Codec | None) -> DataConverter:
    """How values reach Temporal. With a codec, the messages and stack traces of failures are encoded, too."""
    failures = DefaultFailureConverterWithEncodedAttributes if codec else DefaultFailureConverter
    return PlainDataConverter(SharedPydanticConverter, codec, failures)


def runtime_with_figures() -> tuple[Runtime, str]:
    """A runtime of the SDK that counts, and the URL under which it serves what it counts.

    The port is one of loopback that is free. To be made once, before the client that uses it. Raises
    ValueError if another process takes the port in the meantime.
    """
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        address = f"127.0.0.1:{chosen.getsockname()[1]}"
    metrics = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=dict.fromkeys((SETTLE, UNDO), SECONDS),
    )
    # Left to itself, the core writes lines of its own form.
    log = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )
    telemetry = TelemetryConfig(logging=log, metrics=metrics, attach_service_name=False)
    return Runtime(telemetry=telemetry), f"http://{address}"


def client_options(codec: Codec | None) -> dict[str, Any]:
    """Arguments of `Client.connect`: those of the TEMPORAL_* environment, and no compression.

    Messages have a few kilobytes. To compress them costs worker and server more than to send them.
    """
    options: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    options.setdefault("target_host", "127.0.0.1:7233")
    options |= {"data_converter": data_converter(codec), "grpc_compression": GrpcCompression.NONE}
    if tracing.is_on():
        from temporalio.contrib.opentelemetry import OpenTelemetryPlugin  # noqa: PLC0415 - loads much

        options["plugins"] = [OpenTelemetryPlugin(add_temporal_spans=True)]
    return options
