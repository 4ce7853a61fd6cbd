"""The Airflow plugin: the REST API at /jobs, the middlewares around the web server, and the rules of schedules.

Every task process, the scheduler and the triggerer import this module, so it imports little.
"""

from airflow.plugins_manager import AirflowPlugin

from coinrequest.airflow import scheduler_start
from coinrequest.api.mount import application, root_middleware


class CoinrequestPlugin(AirflowPlugin):
    """The REST API at /jobs/v1, with its documentation at /jobs/docs."""

    name = "coinrequest"
    fastapi_apps = [{"app": application, "url_prefix": "/jobs", "name": "Jobs"}]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": root_middleware, "name": "Security"}]  # noqa: RUF012
    listeners = [scheduler_start]  # noqa: RUF012
