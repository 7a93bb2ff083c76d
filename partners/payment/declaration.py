"""The payment partner's declaration."""

from typing import Annotated, Literal

from pydantic import Field

from partners.declaration import Declaration
from serving.fields import WHOLE, Body, Identifier

CardToken = Annotated[Identifier, Field(title="Card", examples=["tok_visa", "tok_declined", "tok_slow"])]
"""The examples are the sample data's: one is approved, one declined, one approved after three seconds."""


class Payment(Body):
    """An amount to authorise on a card, in minor units; JPY has none, so 18,000 yen are 18000."""

    card_token: CardToken
    amount_minor: Annotated[int, Field(strict=True, ge=1, le=10**12), WHOLE]
    currency: Literal["JPY"]


PAYMENT = Declaration(
    name="payment",
    title="Payments: authorise, capture, void and refund",
    port=8105,
    engine="postgres",
    body=Payment,
    attempt_s=10,
)
