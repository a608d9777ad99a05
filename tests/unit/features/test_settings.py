from __future__ import annotations

from datetime import date

import pytest

from data.errors import ConfigError
from features.settings import FeatureSettings


def dates(**section: object) -> list[date]:
    settings = FeatureSettings.from_config({"features": section})
    return settings.as_ofs(data_start=date(2023, 1, 15), end=date(2023, 4, 1))


def test_monthly_snapshots_start_after_the_first_row_and_include_the_end() -> None:
    assert dates() == [date(2023, 2, 1), date(2023, 3, 1), date(2023, 4, 1)]


def test_weekly_snapshots_are_on_mondays() -> None:
    found = dates(every="week")
    assert found[0] == date(2023, 1, 16)
    assert {d.weekday() for d in found} == {0}


def test_given_start_and_step_in_days_are_kept() -> None:
    assert dates(start="2023-03-20", every="7d") == [date(2023, 3, 20), date(2023, 3, 27)]


@pytest.mark.parametrize(
    "section", [{"every": "hour"}, {"every": "0d"}, {"event_groups": {"logn": []}}, {"evry": 1}]
)
def test_wrong_settings_are_refused_in_words(section: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as refused:
        FeatureSettings.from_config({"features": section})
    assert "features" in refused.value.pointer


def test_one_event_group_can_be_redefined_alone() -> None:
    settings = FeatureSettings.from_config({"features": {"event_groups": {"login": ["sso"]}}})
    assert settings.event_groups["login"] == ("sso",)
    assert settings.event_groups["meeting"] == ("meeting",)


def test_feed_of_something_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="neither a view nor an event group"):
        FeatureSettings.from_config({"feeds": {"portal": {"feeds": ["logins"], "stale_after_days": 3}}})


def test_redis_needs_an_address() -> None:
    with pytest.raises(ConfigError, match="connection_string"):
        FeatureSettings.from_config({"features": {"online": {"type": "redis"}}})
