"""The service that `python -m partners payment` runs."""

from partners.payment.declaration import PAYMENT
from partners.payment.store import open_payment
from partners.postgres import ENGINE_ERRORS
from partners.service import PartnerService

service = PartnerService(
    declaration=PAYMENT,
    engine_errors=ENGINE_ERRORS,
    open=open_payment,
)
