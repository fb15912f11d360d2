"""Campaigns of faults: a tenth of each by hand, and the page that shows the full ones."""

from __future__ import annotations

import json

import pytest
from campaigns import BEGIN, CAMPAIGNS, END, PAGE, RESULTS, Unavailable, run_campaign, table


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_tenth_of_a_campaign(name: str) -> None:
    try:
        cases = run_campaign(name, CAMPAIGNS[name].full // 10, seed=2)
    except Unavailable as lacking:
        pytest.skip(f"needs {lacking}")
    for case, ends in cases.items():
        assert ends.total() > 0, case
        assert set(ends) <= {"right", "refused"}, (case, ends)


def test_the_page_shows_the_stored_counts() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert text.strip() == table(results)


def test_no_stored_campaign_has_a_defect() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert results
    for name, result in results.items():
        for case, ends in result["cases"].items():
            assert set(ends) <= {"right", "refused"}, (name, case)
