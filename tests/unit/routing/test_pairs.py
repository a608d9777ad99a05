"""Pairs of leads and partners: equal in training and serving, and rates that know little say so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.leadhistory import PRIOR_LEADS, deals_by_product, offers_of, partner_rates
from features.pairing import PAIR_COLUMNS, lead_block, pair_columns, partner_block

AS_OF = datetime(2026, 6, 1)
PARTNERS = pd.DataFrame(
    {
        "country": ["DE", "DE", "US", None],
        "region": ["North", "South", "North", "North"],
        "industry": ["retail", "finance", "retail", None],
        "motion": ["services", "resell", None, "services"],
        "employee_count": [10.0, 100.0, np.nan, 50.0],
    },
    index=["A", "B", "C", "D"],
)
DEALS = pd.DataFrame({"cloud": [3.0, 0.0, 0.0], "backup": [1.0, 4.0, 0.0]}, index=["A", "B", "D"])
LEAD = {
    "country": "DE",
    "region": "North",
    "industry": "retail",
    "employee_count": 100,
    "products": "cloud|new",
}
leads = st.fixed_dictionaries(
    {
        "country": st.sampled_from(["DE", "US", "JP", None]),
        "region": st.sampled_from(["North", "South", "Nowhere", None]),
        "industry": st.sampled_from(["retail", "finance", "mining", None]),
        "employee_count": st.one_of(st.none(), st.integers(1, 10_000)),
        "products": st.sampled_from(["cloud", "backup|cloud", "unheard", "", None]),
    }
)


def pairs_of(lead: dict[str, Any]) -> pd.DataFrame:
    block = partner_block(PARTNERS, DEALS)
    found = pair_columns(lead_block([lead], block), 0, block, slice(None))
    return pd.DataFrame(found, columns=list(PAIR_COLUMNS), index=PARTNERS.index)


def test_a_pair_says_what_both_have_in_common() -> None:
    found = pairs_of(LEAD)
    assert found.loc["A", ["same_country", "same_region", "same_industry"]].tolist() == [1, 1, 1]
    assert found.loc["A", "same_industry_services"] == 1
    assert found.loc["A", "size_gap_log"] == pytest.approx(np.log(10))
    assert found.loc["A", ["product_known_share", "product_deal_count", "product_deal_share"]].tolist() == [
        0.5, 3.0, 0.75,
    ]  # fmt: skip
    assert found.loc["B", "same_region"] == 0


def test_a_region_of_the_same_name_in_another_country_is_another_region() -> None:
    assert pairs_of(LEAD).loc["C", "same_region"] == 0


def test_what_is_unknown_on_either_side_is_missing_and_never_different() -> None:
    found = pairs_of({**LEAD, "industry": None})
    assert found["same_industry"].isna().all()
    assert np.isnan(found.loc["D", "same_country"])
    assert np.isnan(found.loc["C", "product_known_share"])
    assert found.loc["D", "product_deal_share"] == 0


def test_a_text_that_no_partner_has_is_different_and_not_missing() -> None:
    assert pairs_of({**LEAD, "industry": "mining"})["same_industry"].dropna().tolist() == [0, 0, 0]


@given(st.lists(leads, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_many_pairs_at_once_and_one_lead_against_all_partners_agree(given_leads: Any, rng: Any) -> None:
    block = partner_block(PARTNERS, DEALS)
    pairs = [(rng.randrange(len(given_leads)), rng.randrange(4)) for _ in range(10)]
    lead_at, partner_at = (np.array(side) for side in zip(*pairs, strict=True))
    together = pair_columns(lead_block(given_leads, block), lead_at, block, partner_at)
    alone = [pair_columns(lead_block([given_leads[i]], block), 0, block, slice(None))[j] for i, j in pairs]
    np.testing.assert_array_equal(together, np.array(alone))


def offers(rows: list[tuple[str, str, str, str]]) -> Any:
    """Rows (assignment, partner, status, day) as the canonical table has them, one event a status."""
    frame = pd.DataFrame(rows, columns=["assignment_id", "partner_id", "status", "event_at"])
    frame["event_at"] = pd.to_datetime(frame["event_at"]).astype("datetime64[us]")
    frame["known_at"] = frame["event_at"]
    return frame.assign(lead_id="L" + frame["assignment_id"], propensity=0.5, value_usd=np.nan, reason=None)


LOG = offers(
    [(f"a{n}", "A", "offered", "2026-05-01") for n in range(8)]
    + [(f"a{n}", "A", "accepted", "2026-05-02") for n in range(8)]
    + [("b0", "B", "offered", "2026-05-01"), ("b0", "B", "expired", "2026-05-09")]
    + [("z0", "B", "offered", "2026-05-30"), ("z0", "B", "accepted", "2026-06-02")]
)


def test_a_rate_is_drawn_toward_partners_of_its_type_and_a_new_partner_gets_theirs() -> None:
    types = pd.Series({"A": "reseller", "B": "reseller", "C": "reseller", "D": None})
    found = partner_rates(offers_of(LOG, leads=None), types, as_of=AS_OF)["lead_accept_rate"]
    prior = found["C"]
    assert found["A"] == pytest.approx((8 + PRIOR_LEADS * prior) / (8 + PRIOR_LEADS))
    assert found["B"] < found["D"] < found["C"] < found["A"]


def test_what_was_answered_after_the_date_does_not_count() -> None:
    types = pd.Series({"A": "x", "B": "x"})
    before = partner_rates(
        offers_of(LOG[~LOG["assignment_id"].str.startswith("z")], leads=None), types, as_of=AS_OF
    )
    after = partner_rates(offers_of(LOG, leads=None), types, as_of=AS_OF)
    assert after["lead_accept_rate"].tolist() == before["lead_accept_rate"].tolist()
    assert after["lead_offer_count_365d"].tolist() == [8, 2]


def test_a_later_correction_does_not_undo_what_was_known() -> None:
    types = pd.Series({"A": "x", "B": "x"})
    corrected = LOG[LOG["status"] == "accepted"].assign(value_usd=9.0, known_at=pd.Timestamp("2027-01-01"))
    found = partner_rates(offers_of(pd.concat([LOG, corrected]), leads=None), types, as_of=AS_OF)
    assert found.equals(partner_rates(offers_of(LOG, leads=None), types, as_of=AS_OF))


DEALS_OF = pd.DataFrame(
    {
        "deal_id": ["d1", "d1", "d2", "d3", "d4", "d5"],
        "partner_id": ["A", "A", "A", "A", "B", "A"],
        "status": ["registered", "won", "registered", "lost", "won", "won"],
        "product": ["cloud", "cloud", "backup", "cloud", "cloud", "edge"],
        "sourced": [True, True, False, True, None, False],
        "account_domain": ["one.example", "one.example", "Two.example", "two.example", None, "two.example"],
        "event_at": pd.to_datetime(
            ["2026-01-01", "2026-02-01", "2026-05-20", "2026-01-01", "2026-07-01", "2026-01-05"]
        ),
    }
).assign(known_at=lambda rows: rows["event_at"])
LEADS_OF = pd.DataFrame(
    {"lead_id": ["La0"], "domain": ["TWO.example"], "event_at": [AS_OF], "known_at": [AS_OF]}
)


def test_deals_that_came_from_leads_do_not_make_a_specialist() -> None:
    # `backup` was registered after the partner was offered a lead of that account; `edge` was sold before.
    offered = offers_of(LOG, leads=LEADS_OF)
    assert deals_by_product(DEALS_OF, offered, as_of=AS_OF).to_dict() == {"cloud": {"A": 1}, "edge": {"A": 1}}
    earlier = AS_OF.replace(month=3)
    assert deals_by_product(DEALS_OF, offered, as_of=earlier).to_dict() == {
        "cloud": {"A": 1}, "edge": {"A": 1},
    }  # fmt: skip


def test_a_corrected_product_is_known_in_its_last_version_only() -> None:
    corrected = DEALS_OF.iloc[[1]].assign(product="storage", known_at=pd.Timestamp("2026-04-01"))
    versions = pd.concat([DEALS_OF[DEALS_OF["deal_id"] == "d1"].iloc[[1]], corrected])
    found = {
        month: set(deals_by_product(versions, None, as_of=AS_OF.replace(month=month))) for month in (3, 6)
    }
    assert found == {3: {"cloud"}, 6: {"storage"}}


def test_without_accounts_of_leads_only_what_a_partner_sourced_makes_a_specialist() -> None:
    for unknown in (None, offers_of(LOG, leads=None)):
        assert deals_by_product(DEALS_OF, unknown, as_of=AS_OF).to_dict() == {"cloud": {"A": 1}}
