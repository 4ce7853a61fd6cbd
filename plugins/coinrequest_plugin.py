"""Airflow's door to the project: mounts the REST service under /jobs, and what holds for every request.

Every task process, the scheduler and the triggerer import this module, so it imports next to nothing.
"""

from airflow.plugins_manager import AirflowPlugin

from coinrequest.api.mount import application, root_middleware


class CoinrequestPlugin(AirflowPlugin):
    """The REST service at /jobs/v1, with its pages at /jobs/docs."""

    name = "coinrequest"
    fastapi_apps = [{"app": application, "url_prefix": "/jobs", "name": "Jobs"}]  # noqa: RUF012
    fastapi_root_middlewares = [{"middleware": root_middleware, "name": "Security"}]  # noqa: RUF012
