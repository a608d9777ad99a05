"""A7: signatures of webhooks, checked with the independent `standardwebhooks` package."""

from __future__ import annotations

import base64
import os
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook, WebhookVerificationError

from serving.health.signing import headers_of, new_secret
from tests.faults.harness import Outcome, judged

TITLE = "Receivers accept what we signed, untampered and in its window, and nothing else; also while rotating"
QUICK, FULL = 60, 600
Sign = Callable[..., Mapping[str, str]]


def run(size: int) -> Outcome:
    """Bodies of every kind, each also tampered with, replayed late, sent early, signed by strangers."""
    return _tried(size, headers_of)


def planted() -> Outcome:
    """The same with a signature that leaves the time out."""

    def timeless(event_id: str, body: bytes, *, secrets: list[str], at: datetime) -> Mapping[str, str]:
        del at
        return headers_of(event_id, body, secrets=secrets, at=now())

    return _tried(6, timeless)


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _tried(size: int, sign: Sign) -> Outcome:
    rng = random.Random(3)
    faults: list[str] = []
    tried = 0
    for number in range(size):
        old, new, stranger = (new_secret(os.urandom) for _ in range(3))
        event_id = f"evt_{number:026d}"
        body = b'{"n":%d,"text":"%s"}' % (number, "ü€x".encode() * rng.randrange(50))
        good = sign(event_id, body, secrets=[new, old], at=now())
        checks = [("new", new, body, good, True), ("old, rotating", old, body, good, True)]
        checks += [(*bad, False) for bad in _bad(body, good, new, stranger, sign, event_id, rng)]
        for what, secret, sent, headers, accepted in checks:
            tried += 1
            if _accepts(secret, sent, headers) != accepted:
                faults.append(f"{what}: {'refused' if accepted else 'accepted'}")
    return judged(tried, faults, f"{tried} deliveries checked, only untampered ones in their window accepted")


def _bad(
    body: bytes, good: Mapping[str, str], secret: str, stranger: str, sign: Sign, event_id: str,
    rng: random.Random,
) -> list[tuple[str, str, bytes, Mapping[str, str]]]:  # fmt: skip
    place = rng.randrange(len(body))
    flipped = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
    late = sign(event_id, body, secrets=[secret], at=now() - timedelta(minutes=6))
    early = sign(event_id, body, secrets=[secret], at=now() + timedelta(minutes=6))
    forged = base64.b64encode(bytes(32)).decode()
    stamp = str(int(good["webhook-timestamp"]) + 60)
    return [
        ("a flipped bit", secret, flipped, good),
        ("a longer body", secret, body + b" ", good),
        ("another id", secret, body, {**good, "webhook-id": "evt_other"}),
        ("another time", secret, body, {**good, "webhook-timestamp": stamp}),
        ("a replay after six minutes", secret, body, late),
        ("one from the future", secret, body, early),
        ("a stranger's secret", stranger, body, good),
        ("a made-up signature", secret, body, {**good, "webhook-signature": f"v1,{forged}"}),
        ("an unknown version", secret, body, {**good, "webhook-signature": "v9,x"}),
        ("no signature", secret, body, {k: v for k, v in good.items() if k != "webhook-signature"}),
    ]


def _accepts(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, dict(headers))
    except WebhookVerificationError:
        return False
    except ValueError:
        # Verified, and then not JSON: the signature was accepted.
        return True
    return True
