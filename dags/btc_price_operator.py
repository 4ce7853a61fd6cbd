"""Fetch the price of Bitcoin and send it by mail: a hand-written DAG beside the generated ones.

The DAG is thin: the work is done by `coinrequest`, which only the tasks import, so that parsing the DAG stays cheap.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task


@dag(
    dag_id="btc_price_operator",
    description="Get the price of Bitcoin and send it by mail",
    schedule=None,
    catchup=False,
    tags=["prices", "bitcoin"],
    params={
        "skip_without_server": Param(
            True, type="boolean", description="Whether the mail may be left out if there is no mail server"
        )
    },
    default_args={
        "owner": "data",
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": timedelta(minutes=2),
    },
    doc_md=__doc__,
)
def btc_price_operator() -> None:
    """Fetch the prices, process them, compose a mail and send it."""

    @task
    def get_btc() -> dict[str, Any]:
        from coinrequest import BTCPrice

        return {"prices": BTCPrice.get_btc_prices()}

    @task
    def process(fetched: dict[str, Any]) -> str:
        from coinrequest import BTCPrice

        return BTCPrice.process_prices(fetched["prices"])

    @task
    def compose_email(prices: str) -> dict[str, str]:
        from coinrequest import BTCPrice

        mail = BTCPrice.compose_price_email(prices)
        return {"subject": mail["subject"], "body": mail["body"]}

    @task
    def send_email(mail: dict[str, str], prices: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        from coinrequest import BTCPrice
        from coinrequest.mail import send_mail

        delivery = send_mail(
            mail["subject"],
            mail["body"],
            html=BTCPrice.compose_price_html(prices),
            skip_without_server=bool(params and params["skip_without_server"]),
        )
        return {"delivered": delivery.delivered, "to": list(delivery.to), "reason": delivery.reason}

    prices = process(get_btc())
    send_email(compose_email(prices), prices)


btc_price_operator()
