"""Requests to URLs that other people choose: the URL test, and the guarded HTTP transport below it.

It needs nothing of Airflow: `from coinrequest.urltest.url_test import test_url`.
"""
