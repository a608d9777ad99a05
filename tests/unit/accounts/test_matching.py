from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from models.accounts import best_match, duplicates, pairs
from models.accounts.blocking import candidates
from models.accounts.compare import SIGNS, Comparison
from models.accounts.grouping import group
from models.accounts.records import read_records
from models.accounts.scoring import load_weights
from tests.unit.accounts.companies import BUSINESS, companies


def _names(ids: tuple[str, ...]) -> set[str]:
    return set(BUSINESS.set_index("id").loc[list(ids), "name"])


def test_spellings_domains_and_telephone_numbers_make_groups() -> None:
    found = [_names(g.ids) for g in duplicates(BUSINESS)]
    assert {"Acme GmbH", "ACME"} in found
    assert {"Müller AG", "Mueller"} in found
    assert {"globex.io", "Globex Ltd"} in found
    assert {"Иннотех ООО", "Innotekh"} in found
    assert len(found) == 4


def test_neighbours_funds_and_namesakes_abroad_stay_apart() -> None:
    together = {frozenset(_names(g.ids)) for g in duplicates(BUSINESS)}
    for apart in (
        {"Northwind Traders Ltd", "Contoso AG"},
        {"Aurora Capital Fund II", "Aurora Capital Fund III"},
    ):
        assert not any(apart <= group for group in together)
    assert not any(set(g.ids) & {"r10", "r11"} for g in duplicates(BUSINESS))


def test_evidence_is_told_in_plain_words() -> None:
    told = {e for g in duplicates(BUSINESS) for m in g.matches for e in m.evidence}
    assert "same web domain acme.com" in told
    assert "names alike: 'Acme GmbH' / 'ACME'" in told
    assert "same telephone number: '+49 (0)30 1234567' / '030/1234567'" in told
    assert "same address: 'Hauptstraße 12a' / 'Hauptstr. 12'" in told
    assert "the name of one is the web domain of the other: 'globex.io' / 'Globex Ltd'" in told


def test_evidence_against_is_told_too() -> None:
    abroad = pairs(BUSINESS.iloc[[10]], BUSINESS.iloc[[11]], least=0.0)
    assert abroad[0].evidence == ("same name: 'Initech' / 'Initech'", "different countries: 'US' / 'FR'")


def test_pairs_are_ordered_by_probability_and_cut_at_least() -> None:
    found = pairs(BUSINESS, BUSINESS, least=0.5)
    probabilities = [m.probability for m in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert min(probabilities) >= 0.5


def test_best_match_finds_the_existing_partner() -> None:
    listed = companies({"id": "p1", "name": "mueller ag"}, {"id": "p2", "name": "Zyxwv Unheard Of"})
    found = best_match(listed, BUSINESS, least=0.5)
    assert {k: m.right_id for k, m in found.items()} == {"p1": "r02"}


def test_a_shared_mail_provider_is_no_evidence() -> None:
    two = companies({"name": "Alder Consulting", "domain": "a@gmail.com"},
                    {"name": "Birch Logistics", "domain": "b@gmail.com"})  # fmt: skip
    assert duplicates(two) == ()


def test_one_weak_link_does_not_chain_two_companies() -> None:
    """A and C are plainly different; B looks like both."""
    chain = companies(
        {"id": "a", "name": "Halden Motors", "domain": "halden.com", "address": "1 Mill Lane",
         "phone": "2125550001"},
        {"id": "b", "name": "Halden Motors", "address": "", "phone": ""},
        {"id": "c", "name": "Halden Motors", "domain": "halden-motors.fr", "address": "77 Quai Sud",
         "country": "FR", "phone": "3314455667"},
    )  # fmt: skip
    close = {(m.left_id, m.right_id): m.probability for m in pairs(chain, chain, least=0.0)}
    threshold = 0.6
    assert min(close["a", "b"], close["b", "c"]) > threshold > close["a", "c"]
    assert all({"a", "c"} - set(g.ids) for g in duplicates(chain, threshold=threshold))


def test_exact_copies_are_one_group_however_many() -> None:
    """Copies must not crowd out other neighbours, nor cost the square of their number."""
    rows = [{"name": "Kaffeehaus Nord", "city": "Bremen"} for _ in range(600)]
    groups = duplicates(companies(*rows, {"name": "Kafeehaus Nord GmbH", "city": "Bremen"}))
    assert [len(g.ids) for g in groups] in ([600], [601])


def test_copies_of_a_nameless_row_are_no_company() -> None:
    assert duplicates(companies({"name": ""}, {"name": None}, {"name": " "})) == ()


def test_candidates_per_record_stay_few_when_everybody_shares_a_switchboard() -> None:
    rng = np.random.default_rng(0)
    parts = ["Nord", "Data", "Cloud", "Rhein", "Alpha", "Soft", "Net", "Delta", "Info", "Trans"]
    rows = [
        {
            "name": " ".join(rng.choice(parts, 5)),
            "address": "1 Ring Park",
            "phone": "030 5550000",
            "domain": "hub.de",
        }
        for _ in range(3_000)
    ]
    read = read_records(companies(*rows))
    assert candidates(read, read)[0].size <= 12 * len(read)


def test_large_component_is_cut_where_links_are_weakest() -> None:
    """Two cliques of 300 joined by one weaker link come apart; nothing larger than the limit is compared."""
    size = 600
    asked: list[int] = []

    def score(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        asked.append(a.size)
        return np.where((a < 300) == (b < 300), 0.99, 0.85)

    i, j = np.triu_indices(size, 1)
    near = (j - i) <= 5
    groups = group(size, i[near], j[near], score(i[near], j[near]), threshold=0.8, score=score)
    assert [len(g) for g in groups] == [300, 300]
    assert max(asked) <= 400 * 399 // 2 * 2


@pytest.mark.parametrize("frame", [
    pd.DataFrame({"name": ["A"]}),
    pd.DataFrame({"id": ["1", "1"], "name": ["A", "B"]}),
    pd.DataFrame({"id": [None], "name": ["A"]}),
])  # fmt: skip
def test_ids_must_be_there_and_unique(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="id"):
        duplicates(frame)


def test_empty_lists_have_no_pairs() -> None:
    empty = BUSINESS.iloc[:0]
    assert duplicates(empty) == ()
    assert pairs(empty, BUSINESS) == ()
    assert best_match(BUSINESS, empty) == {}


def test_numbers_and_missing_values_are_read_as_text() -> None:
    read = read_records(pd.DataFrame({"id": [2, 1], "name": ["A", np.nan], "phone": [None, pd.NA]}))
    assert read.ids.tolist() == ["1", "2"]
    assert read.raw["name"].tolist() == ["", "A"]
    assert read.phone.tolist() == ["", ""]


def test_stored_weights_never_let_agreement_lower_the_probability() -> None:
    weights = load_weights().weights
    raises = ("name_same", "name_letters", "name_rare_words", "name_contained", "domain_same",
              "phone_same", "house_same", "street_alike", "city_same", "label_same",
              "phone_near", "name_is_domain")  # fmt: skip
    lowers = ("name_unlike", "name_numbers_differ", "domain_differs", "house_differs", "phone_differs",
              "city_differs", "country_differs")  # fmt: skip
    assert all(weights[s] >= 0 for s in raises)
    assert all(weights[s] <= 0 for s in lowers)
    assert {*raises, *lowers, "address_unknown", "contact_unknown"} == set(SIGNS)


_word = st.sampled_from(
    ["Acme", "ACME GmbH", "Müller AG", "Mueller", "Nord Systems", "Nordsystems", "", "Zeta 2"]
)
_row = st.fixed_dictionaries(
    {
        "name": _word,
        "domain": st.sampled_from(["", "acme.com", "mueller.de", "nord.io"]),
        "phone": st.sampled_from(["", "030 1234567", "+49 30 1234567", "040 9999888"]),
        "address": st.sampled_from(["", "Hauptstr. 1", "1 Hauptstrasse", "Ring 7"]),
        "country": st.sampled_from(["", "DE", "FR"]),
    }
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(_row, min_size=1, max_size=12), seed=st.integers(0, 99))
def test_order_of_rows_changes_nothing(rows: list[dict[str, str]], seed: int) -> None:
    frame = companies(*rows)
    shuffled = frame.sample(frac=1.0, random_state=seed)
    assert duplicates(shuffled, threshold=0.6) == duplicates(frame, threshold=0.6)
    assert pairs(shuffled, frame) == pairs(frame, frame)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(_row, min_size=2, max_size=8))
def test_scores_are_symmetric(rows: list[dict[str, str]]) -> None:
    half = companies(*rows[::2]), companies(*rows[1::2])
    there = {(m.left_id, m.right_id): m.probability for m in pairs(*half, least=0.0)}
    back = {(m.right_id, m.left_id): m.probability for m in pairs(*half[::-1], least=0.0)}
    assert there == back
    read = read_records(companies(*rows))
    i, j = np.triu_indices(len(read), 1)
    given_signs = Comparison(read, read)
    assert np.array_equal(given_signs.signs(i, j), given_signs.signs(j, i))


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(_row, min_size=1, max_size=12), threshold=st.sampled_from([0.3, 0.6, 0.9]))
def test_groups_never_overlap_and_hold_two_or_more(rows: list[dict[str, str]], threshold: float) -> None:
    groups = duplicates(companies(*rows), threshold=threshold)
    members = [i for g in groups for i in g.ids]
    assert len(members) == len(set(members))
    assert all(len(g.ids) > 1 and g.probability >= 0 for g in groups)
