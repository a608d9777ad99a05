"""The canonical tables: names, keys and typed columns, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["string", "integer", "number", "boolean", "timestamp"]


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    Attributes:
        name: Canonical name; a unit suffix where it is not obvious.
        type: Logical type. Timestamps are naive UTC, microseconds.
        required: The value must be present.
        allowed: Closed set of values, or empty.
        low: Least acceptable number, or None.
        high: Greatest acceptable number, or None.
        personal: Holds personal data; kept out of features, logs and models.
        doc: One line for the person who fills the template.
    """

    name: str
    type: ColumnType = "string"
    required: bool = False
    allowed: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    personal: bool = False
    doc: str = ""


@dataclass(frozen=True)
class TableContract:
    """A canonical table.

    Attributes:
        name: Table name.
        key: Columns that identify a record; a row of the same key with other content is a correction.
        columns: All columns, in order; `event_at` and `known_at` among them where the table is dated.
        doc: What a row is.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    doc: str

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the contract has none."""
        return {c.name: c for c in self.columns}[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in contract order."""
        return tuple(c.name for c in self.columns)

    @property
    def dated(self) -> bool:
        """Whether rows carry `event_at`."""
        return "event_at" in self.names


def _text(name: str, doc: str, *, required: bool = False, allowed: tuple[str, ...] = ()) -> Column:
    return Column(name, "string", required, allowed, doc=doc)


def _number(name: str, doc: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column(name, "number", low=low, high=high, doc=doc)


def _personal(name: str, doc: str) -> Column:
    return Column(name, "string", personal=True, doc=doc)


PARTNER_ID = _text("partner_id", "Your identifier of the partner company.", required=True)
KNOWN_AT = Column("known_at", "timestamp", doc="When this row could be known (UTC); empty: when it happened.")
EVENT_AT = Column("event_at", "timestamp", required=True, doc="When it happened (UTC).")
SINCE = Column("event_at", "timestamp", required=True, doc="Since when it holds (UTC).")
FIRMOGRAPHICS = (
    _text("name", "Company name."),
    _text("domain", "Web domain, such as acme.com."),
    _text("country", "ISO 3166 two-letter code."),
    _text("region", "Region or state within the country, or sales region."),
    _text("city", "City."),
    _text("partner_type", "For example reseller, integrator, referral, distributor."),
    _text("motion", "Go-to-market motion, such as reseller or services."),
    _text("industry", "Main industry served."),
    Column("employee_count", "integer", low=0, doc="Number of employees."),
    _number("annual_revenue_usd", "Revenue of the company in its last year, US dollars.", low=0),
    Column("founded_year", "integer", low=1500, high=2200, doc="Year the company was founded."),
)
DATED = (EVENT_AT, KNOWN_AT)

_TABLES = (
    TableContract(
        "partners",
        ("partner_id",),
        (
            PARTNER_ID,
            *FIRMOGRAPHICS,
            _text("parent_id", "Identifier of the parent company, when there is one."),
            _text("tier", "Tier held now. Models learn from it only with tier_history or known_at."),
            Column("signed_at", "timestamp", doc="When the agreement was signed (UTC)."),
            KNOWN_AT,
        ),
        "A company under agreement.",
    ),
    TableContract(
        "partner_managers",
        ("partner_id", "event_at"),
        (
            PARTNER_ID,
            _text("manager_id", "Channel manager who owns the partner.", required=True),
            SINCE,
            KNOWN_AT,
        ),
        "Who owns which partner, since when.",
    ),
    TableContract(
        "territories",
        ("territory_id", "partner_id", "event_at"),
        (
            _text("territory_id", "Identifier of the territory.", required=True),
            PARTNER_ID,
            _text("country", "ISO 3166 two-letter code."),
            _text("region", "Region within the country; empty: the whole country."),
            Column("capacity_count", "integer", low=0, doc="Leads the partner can work on at once."),
            SINCE,
            KNOWN_AT,
        ),
        "Where a partner may sell, and how many leads it can take.",
    ),
    TableContract(
        "contacts",
        ("contact_id",),
        (
            _text("contact_id", "Identifier of the person.", required=True),
            PARTNER_ID,
            _personal("full_name", "Name."),
            _personal("email", "E-mail address."),
            _text("role", "Role at the partner."),
            *DATED,
        ),
        "People at partners.",
    ),
    TableContract(
        "terminations",
        ("partner_id", "event_at"),
        (PARTNER_ID, _text("reason", "Why the agreement ended."), *DATED),
        "Agreements that ended.",
    ),
    TableContract(
        "prospects",
        ("prospect_id",),
        (
            _text("prospect_id", "Identifier of the prospect.", required=True),
            *FIRMOGRAPHICS,
            _text("partner_id", "Identifier as a partner, once recruited."),
            *DATED,
        ),
        "Companies being considered as partners.",
    ),
    TableContract(
        "events",
        ("event_id",),
        (
            _text("event_id", "Identifier of the event.", required=True),
            PARTNER_ID,
            _text(
                "event_type", "For example portal_login, content_download, training_completed.", required=True
            ),
            _text("user_id", "Pseudonymous identifier of the person."),
            _text("source", "Feed it came from, such as portal, lms, crm, mail, support."),
            _number("quantity", "How many at once; empty: 1.", low=0),
            *DATED,
        ),
        "Dated engagement signals of partners.",
    ),
    TableContract(
        "deals",
        ("deal_id", "status"),
        (
            _text("deal_id", "Identifier of the deal or order.", required=True),
            PARTNER_ID,
            _text(
                "status", "What happened.", required=True, allowed=("registered", "won", "lost", "expired")
            ),
            _text("account_name", "End customer."),
            _text("account_domain", "Web domain of the end customer."),
            _text("account_country", "ISO 3166 two-letter code."),
            _text("account_city", "City of the end customer."),
            _text("product", "Product or product family."),
            _number("amount_usd", "Value, US dollars; negative for returns."),
            _number("margin_usd", "Margin, US dollars."),
            Column("sourced", "boolean", doc="Whether the partner brought the deal."),
            *DATED,
        ),
        "Deal registrations and outcomes: one row for each thing that happened to a deal.",
    ),
    TableContract(
        "leads",
        ("lead_id",),
        (
            _text("lead_id", "Identifier of the lead.", required=True),
            _text("company", "End customer."),
            _text("domain", "Web domain of the end customer."),
            _text("country", "ISO 3166 two-letter code."),
            _text("region", "Region within the country."),
            _text("city", "City."),
            _text("industry", "Industry of the end customer."),
            Column("employee_count", "integer", low=0, doc="Employees of the end customer."),
            _text("products", "Products asked for, separated by |."),
            _number("estimated_value_usd", "Estimated value, US dollars.", low=0),
            _personal("contact_email", "E-mail address of the person asking."),
            *DATED,
        ),
        "Opportunities to be routed to a partner.",
    ),
    TableContract(
        "assignments",
        ("assignment_id", "status"),
        (
            _text("assignment_id", "Identifier of the assignment.", required=True),
            _text("lead_id", "Lead that was offered.", required=True),
            PARTNER_ID,
            _text(
                "status",
                "What happened.",
                required=True,
                allowed=("offered", "accepted", "declined", "expired", "won", "lost"),
            ),
            _text("reason", "Reason of a decline or a loss."),
            _number("value_usd", "Value won, US dollars."),
            _number("propensity", "Probability with which the policy chose this partner.", low=0, high=1),
            *DATED,
        ),
        "Which partner was offered which lead, and what came of it.",
    ),
    TableContract(
        "touchpoints",
        ("touchpoint_id",),
        (
            _text("touchpoint_id", "Identifier of the interaction.", required=True),
            _text("account_id", "End customer touched.", required=True),
            _text("partner_id", "Partner involved, when there is one."),
            _text("channel", "For example webinar, visit, mail.", required=True),
            *DATED,
        ),
        "Dated interactions with end customers.",
    ),
    TableContract(
        "certifications",
        ("certification_id",),
        (
            _text("certification_id", "Identifier of the certificate.", required=True),
            PARTNER_ID,
            _text("user_id", "Pseudonymous identifier of the person."),
            _text("name", "Name of the certification."),
            _text("level", "Level.", allowed=("basic", "advanced", "expert")),
            Column("expires_at", "timestamp", doc="When it expires (UTC)."),
            *DATED,
        ),
        "Certifications earned.",
    ),
    TableContract(
        "surveys",
        ("survey_id",),
        (
            _text("survey_id", "Identifier of the answer.", required=True),
            PARTNER_ID,
            Column("score", "number", required=True, low=0, high=10, doc="0 (worst) to 10 (best)."),
            *DATED,
        ),
        "Answers of partners to satisfaction surveys.",
    ),
    TableContract(
        "costs",
        ("cost_id",),
        (
            _text("cost_id", "Identifier of the cost.", required=True),
            PARTNER_ID,
            _text("kind", "For example mdf, rebate, support."),
            _number("amount_usd", "Amount, US dollars.", low=0),
            *DATED,
        ),
        "What partners cost: market development funds, rebates, support.",
    ),
    TableContract(
        "tier_history",
        ("partner_id", "event_at"),
        (PARTNER_ID, _text("tier", "Tier held from then on.", required=True), SINCE, KNOWN_AT),
        "Which tier a partner held, since when.",
    ),
)
TABLES: dict[str, TableContract] = {t.name: t for t in _TABLES}
