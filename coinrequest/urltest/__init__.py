"""The URL test: `from coinrequest.urltest import test_url`. It does not need Airflow."""

from coinrequest.http.certificate import Certificate
from coinrequest.http.errors import RequestFailed, UrlRefused
from coinrequest.http.guard import AddressGuard
from coinrequest.http.messages import Hop, Phases
from coinrequest.urltest.batch import test_urls
from coinrequest.urltest.expectations import Expectations
from coinrequest.urltest.url_test import UrlTest, test_url

__all__ = [
    "AddressGuard",
    "Certificate",
    "Expectations",
    "Hop",
    "Phases",
    "RequestFailed",
    "UrlRefused",
    "UrlTest",
    "test_url",
    "test_urls",
]
