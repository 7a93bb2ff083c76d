"""Where another service is."""

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Upstream:
    """Where a service is, and how it is reached.

    `token` is a bearer token, and `proxy` the URL of an HTTP proxy. The files are PEM: `ca_file` has the only
    authorities that are trusted, `cert_file` and `key_file` the certificate that is shown to the service.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None

    def tls(self) -> ssl.SSLContext | bool:
        """What aiohttp takes as `ssl`. Raises OSError if a file cannot be used."""
        if not (self.ca_file or self.cert_file):
            return True
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context
