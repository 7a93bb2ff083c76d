"""The service that `python -m partners payment` runs."""

from partners.payment.declaration import PAYMENT
from partners.payment.store import open_payment
from partners.service import PartnerService
from serving.postgres import AWAY

service = PartnerService(
    declaration=PAYMENT,
    engine_errors=AWAY,
    open=open_payment,
)
