"""The price of Bitcoin, by the hand-written DAG, by the library, and as a job type."""

import json
from datetime import datetime, timedelta

import pytest
from support.platform import Platform
from support.web_stub import RATES

from coinrequest import BTCPrice


def test_all_four_tasks_of_the_price_dag_succeed(platform: Platform) -> None:
    run_id = platform.trigger("btc_price_operator")
    platform.run_succeeded("btc_price_operator", run_id)
    states = {task["task_id"]: task["state"] for task in platform.task_instances("btc_price_operator", run_id)}
    assert states == dict.fromkeys(("get_btc", "process", "compose_email", "send_email"), "success")
    fetched = platform.output("btc_price_operator", run_id, "get_btc")
    assert [set(price) for price in fetched["prices"]] == [{"currency", "rate", "price_date"}] * 3
    assert {price["currency"]: price["rate"] for price in fetched["prices"]} == RATES
    mail = platform.output("btc_price_operator", run_id, "compose_email")
    assert set(mail) == {"subject", "body"}
    assert RATES["USD"] in mail["body"].replace(",", "")


def test_the_library_gets_processes_and_composes(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINREQUEST_PRICE_URL", platform.web.url)
    prices = BTCPrice.get_btc_prices()
    assert {price["currency"]: price["rate"] for price in prices} == RATES
    text = BTCPrice.process_prices(prices)
    assert isinstance(text, str)
    assert json.loads(text) == prices
    mail = BTCPrice.compose_price_email(text)
    assert set(mail) == {"subject", "body"}
    assert all(isinstance(part, str) and part for part in mail.values())
    first, second = (datetime.fromisoformat(BTCPrice.get_btc_prices()[0]["price_date"]) for _ in range(2))
    assert second > first
    assert first.utcoffset() == timedelta(0)


def test_the_price_is_a_job_type_too(platform: Platform) -> None:
    result = platform.run("coin-prices", {"currencies": ["EUR", "USD"]})["result"]
    assert RATES["EUR"] in json.dumps(result)
    assert RATES["USD"] in json.dumps(result)
