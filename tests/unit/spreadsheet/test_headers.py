from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import InputError
from data.spreadsheet import apply_mapping, known_fields, propose_mapping, read_table
from data.spreadsheet.headers import CONFIDENT

LISTS = {
    "en": (
        "Account ID",
        "Company Name",
        "Website",
        "Country",
        "State/Province",
        "City",
        "No. of Employees",
        "Phone",
    ),
    "de": (
        "Kundennummer",
        "Firmenname",
        "Internetseite",
        "Land",
        "Bundesland",
        "Ort",
        "Mitarbeiterzahl",
        "Telefon",
    ),
    "fr": (
        "Identifiant",
        "Raison sociale",
        "Site web",
        "Pays",
        "Département",
        "Ville",
        "Effectif",
        "Téléphone",
    ),
    "es": (
        "Identificador",
        "Razón social",
        "Sitio web",
        "País",
        "Provincia",
        "Ciudad",
        "Nº empleados",
        "Teléfono",
    ),
    "it": ("ID", "Ragione sociale", "Sito web", "Paese", "Regione", "Città", "Dipendenti", "Telefono"),
}
FIELDS = ("prospect_id", "name", "domain", "country", "region", "city", "employee_count", "phone")


@pytest.mark.parametrize("language", LISTS)
def test_columns_of_lists_in_five_languages_are_recognised(language: str) -> None:
    found = propose_mapping(LISTS[language])
    assert tuple(m.field for m in found) == FIELDS
    assert [m.column for m in found if not m.confident and m.column != "Nº empleados"] == []


@pytest.mark.parametrize(("header", "field"), [
    ("companyName", "name"), ("COMPANY_NAME", "name"), (" Firma ", "name"), ("Gründungsjahr", "founded_year"),
    ("Compnay Name", "name"), ("Straße", "address"), ("Strasse", "address"), ("prospect_id", "prospect_id"),
    ("annual_revenue_usd", "annual_revenue_usd"), ("Anzahl Mitarbeiter (ca.)", "employee_count"),
])  # fmt: skip
def test_spellings_and_typing_errors_are_recognised(header: str, field: str) -> None:
    assert propose_mapping([header])[0].field == field


@pytest.mark.parametrize("header", ["Umsatz (EUR)", "Revenue", "Jahresumsatz in Tsd. CHF"])
def test_revenue_in_no_or_another_currency_is_never_preselected(header: str) -> None:
    found = propose_mapping([header])[0]
    assert found.field == "annual_revenue_usd"
    assert found.confidence < CONFIDENT
    assert propose_mapping(["Revenue (USD)"])[0].confident


@pytest.mark.parametrize("header", ["Bemerkung", "foo", "", "column 3", "Ansprechpartner E-Mail"])
def test_what_is_not_ours_is_left_alone(header: str) -> None:
    assert not propose_mapping([header])[0].confident


def test_best_column_gets_the_field_and_no_field_is_given_twice() -> None:
    found = {m.column: m.field for m in propose_mapping(["Company Nam", "Company Name"])}
    assert found["Company Name"] == "name"
    assert found["Company Nam"] != "name"


@settings(max_examples=30, deadline=None)
@given(columns=st.permutations(["Firma", "Land", "Ort", "Telefon", "Straße", "Company", "Nation"]))
def test_order_of_columns_changes_nothing(columns: list[str]) -> None:
    found = {m.column: m for m in propose_mapping(columns)}
    assert found == {m.column: m for m in propose_mapping(sorted(columns))}


def test_every_field_has_its_own_name_among_the_known_ones() -> None:
    assert [m.field for m in propose_mapping(known_fields())] == list(known_fields())


def test_confirmed_mapping_is_applied_to_text() -> None:
    table = read_table("Nr;Firma;Notiz\n007;Müller;x\n008;;y\n".encode(), "l.csv")
    frame = apply_mapping(table, {"name": "Firma", "prospect_id": "Nr"})
    assert frame.columns.tolist() == ["prospect_id", "name"]
    assert frame.loc[2].tolist() == ["007", "Müller"]
    assert frame.loc[3].tolist() == ["008", None]


@pytest.mark.parametrize(("mapping", "said"), [
    ({"nome": "Firma"}, "no field 'nome'"),
    ({"name": "Firm"}, "no column 'Firm'"),
    ({"name": "Firma", "city": "Firma"}, "given to two fields"),
])  # fmt: skip
def test_mapping_that_does_not_fit_is_refused(mapping: dict[str, str], said: str) -> None:
    table = read_table(b"Nr;Firma\n1;A\n", "l.csv")
    with pytest.raises(InputError, match=said):
        apply_mapping(table, mapping)
