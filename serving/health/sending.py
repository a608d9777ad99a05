"""Sending to addresses that others chose: to public hosts only, at the very address that was checked.

A name is resolved once; every address it has must be allowed, and the connection goes to one of those, so
that a name which answers differently the second time gains nothing. Redirects are not followed. Hosts of
one's own network are reached only when `serving.webhook_hosts` names them.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from urllib.parse import urlsplit

from data.errors import InputError

TIMEOUT_SECONDS = 10.0
MOST_URL = 2_000
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Place:
    """A checked address.

    Attributes:
        scheme: https, or http for a host that is on the list.
        host: As it was written.
        port: TCP port.
        target: Path and query.
    """

    scheme: str
    host: str
    port: int
    target: str


@dataclass(frozen=True)
class Sent:
    """What came of sending.

    Attributes:
        status: HTTP status; None: there was no answer.
        error: Why there was none, in words that hold nothing of the answer.
    """

    status: int | None
    error: str = ""

    @property
    def good(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


class ForbiddenAddressError(Exception):
    """The name leads to an address that may not be reached."""


def place_of(url: str, *, allowed: Sequence[str]) -> Place:
    """The parts of a URL that may be called.

    Args:
        url: As registered.
        allowed: Hosts of one's own network that may be called, as `host` or `host:port`.

    Raises:
        InputError: It is none that may be called.
    """
    problem = _fault(url, allowed)
    if problem:
        raise InputError(
            f"The URL cannot be used: {problem}.",
            allowed="https://host[:port]/path with a public host; hosts of your own network once "
            "`serving.webhook_hosts` names them",
            pointer="/url",
        )
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, str(parts.hostname), port, target)


def _fault(url: str, allowed: Sequence[str]) -> str:
    if len(url) > MOST_URL or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        return "it holds characters a URL has not, or is too long"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "it is no URL"
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "it holds a user or a password"
    if parts.fragment or "#" in url:
        return "it holds a fragment"
    if parts.scheme not in ("https", "http"):
        return "its scheme is not https"
    if port == 0:
        return "port 0 is none"
    if not is_allowed(host, port or (443 if parts.scheme == "https" else 80), allowed):
        if parts.scheme != "https":
            return "its scheme is not https"
        return _name_fault(host)
    return ""


def _name_fault(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        return "" if is_public(str(address)) else "its address is not public"
    if not _HOST.fullmatch(host) or len(host) > 253:
        return "its host is no name"
    if re.fullmatch(r"[0-9.]+|0[xX][0-9a-fA-F.xX]*", host) or "." not in host:
        # Numbers in other spellings (2130706433, 0x7f.1, 127.1), and names of one's own network.
        return "its host is not a public name"
    last = host.rsplit(".", 1)[-1].lower()
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last) or last in ("local", "localhost", "internal"):
        return "its host is not a public name"
    return ""


def is_allowed(host: str, port: int, allowed: Sequence[str]) -> bool:
    """Whether the operator named the host."""
    return bool(host) and (host.lower() in allowed or f"{host.lower()}:{port}" in allowed)


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet; what it embeds must, too."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        nat64 = found in ipaddress.ip_network("64:ff9b::/96") or found in ipaddress.ip_network(
            "64:ff9b:1::/48"
        )
        if inner is not None or nat64 or int(found) < 2**32:
            return False
    return found.is_global and not found.is_multicast


def resolve(host: str, port: int) -> Sequence[str]:
    """Addresses of a name, by the machine's resolver."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def post(
    place: Place,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Sequence[str],
    resolver: Resolve = resolve,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Sent:
    """Send once. Anything that goes wrong is a result, not an exception."""
    try:
        address = _address(place, allowed, resolver)
    except ForbiddenAddressError:
        return Sent(None, "the host leads to an address that may not be called")
    except OSError:
        return Sent(None, "the host cannot be resolved")
    connection = _Pinned(place, address, timeout_seconds)
    # A receiver that answers a byte at a time would otherwise hold the line for hours.
    deadline = Timer(2 * timeout_seconds, connection.give_up)
    deadline.start()
    try:
        connection.request("POST", place.target, body=body, headers={**headers, "Connection": "close"})
        return Sent(connection.getresponse().status)
    except ssl.SSLError:
        return Sent(None, "the TLS handshake failed")
    except TimeoutError:
        return Sent(None, "no answer in time")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Sent(None, f"the connection failed ({type(error).__name__})")
    finally:
        deadline.cancel()
        connection.close()


def _address(place: Place, allowed: Sequence[str], resolver: Resolve) -> str:
    addresses = resolver(place.host, place.port)
    if not addresses:
        raise OSError("no address")
    named = is_allowed(place.host, place.port, allowed)
    if not named and not all(is_public(a) for a in addresses):
        raise ForbiddenAddressError(place.host)
    return addresses[0]


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was checked; the name is only spoken, in TLS and in Host."""

    def __init__(self, place: Place, address: str, timeout_seconds: float) -> None:
        super().__init__(place.host, place.port, timeout=timeout_seconds)
        self._place, self._address = place, address

    def connect(self) -> None:
        """Connect to the checked address."""
        plain = socket.create_connection((self._address, self._place.port), self.timeout)
        if self._place.scheme == "https":
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self._place.host)
        else:
            self.sock = plain

    def give_up(self) -> None:
        """End whatever the other side still has in mind."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)
