"""Until when the data are known: what becomes known long afterwards makes no old export young."""

from datetime import datetime

import pandas as pd

from data.lake import Lake
from partnerintel.preparing import data_span

LAST = pd.Timestamp("2024-06-30")


def deals(amount, **values):
    rows = {"deal_id": ["a", "b"], "partner_id": "p", "status": "won", "amount_usd": amount}
    return pd.DataFrame(rows).assign(event_at=[pd.Timestamp("2024-01-01"), LAST], **values)


def test_a_correction_of_an_old_export_makes_no_silence_since(tmp_path):
    lake = Lake(tmp_path)
    lake.append("deals", deals(1.0), ingested_at=datetime(2026, 1, 1))
    assert lake.append("deals", deals(2.0), ingested_at=datetime(2026, 2, 1)).rows_corrected == 2
    assert data_span(lake) == (datetime(2024, 1, 1), LAST.to_pydatetime())


def test_what_is_known_soon_after_it_happened_reaches_until_then(tmp_path):
    lake = Lake(tmp_path)
    lake.append("deals", deals(1.0, known_at=pd.Timestamp("2024-07-03")), ingested_at=datetime(2026, 1, 1))
    assert data_span(lake)[1] == datetime(2024, 7, 3)
