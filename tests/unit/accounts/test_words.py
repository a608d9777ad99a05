from __future__ import annotations

import pytest

from models.accounts.contact import phone_digits, registrable_domain
from models.accounts.names import core_name
from models.accounts.places import country_code, parse_address


@pytest.mark.parametrize(
    "spellings",
    [
        ("Müller AG", "Mueller", "MULLER A.G.", "Muller GmbH & Co. KG"),
        ("Acme S.p.A.", "ACME", "The Acme Company Limited", "Acme Sp. z o.o.", "Acme, Inc."),
        ("L.B. Foster Company", "L B Foster"),
        ("Société Générale S.A.", "SOCIETE GENERALE"),
        ("Ромашка ООО", "ООО Ромашка", "Romashka"),
        ("株式会社アクメ", "アクメ株式会社"),
        ("Aurora Fund II", "Aurora Fund 2"),
        ("HEXCEL CORP /DE/", "Hexcel Corporation"),
        ("Ørsted A/S", "Orsted", "Oersted"),
    ],
)
def test_spellings_of_one_company_have_one_core(spellings: tuple[str, ...]) -> None:
    assert len({core_name(s) for s in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("SA Power", "Power"), ("AG Barr plc", "Barr"), ("Acme Systems", "Acme"), ("Fund II", "Fund III"),
     ("The Company", ""), ("GmbH", "")],
)  # fmt: skip
def test_words_that_name_a_company_stay(one: str, other: str) -> None:
    assert core_name(one)
    assert core_name(one) != core_name(other)


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        ("https://www.acme.co.uk/de?x=1", "acme.co.uk"),
        ("Info@Acme.com", "acme.com"),
        ("acme.github.io", "acme.github.io"),
        ("xn--mller-kva.de", "müller.de"),
        ("joe@gmail.com", ""),
        ("linkedin.com/company/acme", ""),
        ("Acme", ""),
        ("n/a", ""),
        ("", ""),
    ],
)
def test_domain_is_what_a_company_registered(given: str, domain: str) -> None:
    assert registrable_domain(given) == domain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10001 South Woodlawn Avenue First Floor", "10001 S. Woodlawn"),
        ("Hauptstraße 12a", "Hauptstr. 12"),
        ("221 East 51st Street", "221 E. 51 St"),
    ],
)
def test_spellings_of_one_address_are_equal(one: str, other: str) -> None:
    assert parse_address(one) == parse_address(other)


def test_post_code_is_not_taken_for_a_house_number() -> None:
    assert parse_address("Hauptstr. 12, 60311 Frankfurt").house == "12"
    assert parse_address("Marktplatz, 60311 Frankfurt").house == ""


@pytest.mark.parametrize("given", ["+49 (0)30 1234567", "0049 30 1234567", "+49-30-1234567 ext. 12"])
def test_prefixes_and_extensions_do_not_change_a_number(given: str) -> None:
    assert phone_digits(given) == "49301234567"


@pytest.mark.parametrize("given", ["", "n/a", "000000000", "12345"])
def test_what_is_no_telephone_number_is_unknown(given: str) -> None:
    assert phone_digits(given) == ""


@pytest.mark.parametrize("given", ["DE", "Germany", "Deutschland", "deu"])
def test_country_is_known_by_name_and_code(given: str) -> None:
    assert country_code(given) == "de"
