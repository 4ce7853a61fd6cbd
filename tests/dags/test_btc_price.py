"""The hand-written DAG that mails the price of Bitcoin."""

import json
from typing import Any

import pytest

from coinrequest.mail import MailServerMissing
from coinrequest.stack.layout import project_root

DAGS = project_root() / "dags"
PRICES = json.dumps([{"currency": "USD", "rate": "1.5", "price_date": "2026-11-01T12:00:00+00:00"}])


@pytest.fixture
def dag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=DAGS / "btc_price_operator.py", bundle_path=DAGS)
    assert bag.import_errors == {}
    return bag.dags["btc_price_operator"]


def _send(dag: Any, **params: Any) -> Any:
    send = dag.get_task("send_email").python_callable
    return send({"subject": "BTC", "body": "1.5"}, PRICES, params={**dag.params.dump(), **params})


def test_the_form_says_that_the_mail_may_be_left_out(dag: Any) -> None:
    assert dag.params.dump() == {"skip_without_server": True}
    assert _send(dag)["delivered"] is False


def test_a_mail_that_may_not_be_left_out_fails_without_a_server(dag: Any) -> None:
    with pytest.raises(MailServerMissing):
        _send(dag, skip_without_server=False)
