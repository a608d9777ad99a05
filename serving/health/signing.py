"""Signatures of webhooks by the Standard Webhooks specification, so that any of its libraries checks them.

Source: https://www.standardwebhooks.com, `v1` (HMAC-SHA256 over `id.timestamp.body`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret(random: Callable[[int], bytes]) -> str:
    """A fresh secret."""
    return PREFIX + base64.b64encode(random(SECRET_BYTES)).decode()


def headers_of(event_id: str, body: bytes, *, secrets: Iterable[str], at: datetime) -> Mapping[str, str]:
    """The three headers of a delivery; one signature for each secret, so that receivers can rotate.

    Args:
        event_id: The same in every attempt: receivers know a repetition by it.
        body: Exactly what is sent.
        secrets: The newest first.
        at: Time of this attempt, naive UTC.
    """
    stamp = str(int(at.replace(tzinfo=UTC).timestamp()))
    signed = b".".join((event_id.encode(), stamp.encode(), body))
    signatures = [
        "v1," + base64.b64encode(hmac.new(_key(s), signed, hashlib.sha256).digest()).decode() for s in secrets
    ]
    return {"webhook-id": event_id, "webhook-timestamp": stamp, "webhook-signature": " ".join(signatures)}


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))
