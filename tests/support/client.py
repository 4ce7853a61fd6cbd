"""A signed-in user of the running stack."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

API = "/jobs/v1"
TIMEOUT_SECONDS = 90.0


class Client:
    """Sends requests to one server, with a token if it has one; an answer of any status is an answer."""

    def __init__(self, url: str, username: str | None = None, password: str = "") -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", HTTPAdapter(pool_maxsize=32))
        if username is not None:
            answer = self.post("/auth/token", json={"username": username, "password": password})
            assert answer.status_code == 201, answer.text
            self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", TIMEOUT_SECONDS)
        return self._session.request(method, self.url + path, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> requests.Response:
        return self.request("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.request("DELETE", path, **options)

    def json(self, path: str, **options: Any) -> Any:
        """GET something that has to be there."""
        answer = self.get(path, **options)
        assert answer.status_code == 200, f"GET {path}: {answer.status_code} {answer.text[:1000]}"
        return answer.json()

    def close(self) -> None:
        self._session.close()
