"""The payment partner: card payments in a double-entry ledger, in PostgreSQL."""

from partners.payment.body import Payment
from partners.payment.store import open_payment
from partners.postgres import ENGINE_ERRORS
from partners.service import PartnerService

service = PartnerService(
    name="payment",
    title="Payments: authorise, capture, void and refund",
    body=Payment,
    engine_errors=ENGINE_ERRORS,
    open=open_payment,
)
