"""The connection to Docker Engine: made on first use, and what its refusals mean."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from docker import APIClient
from docker.errors import APIError, DockerException
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnectionPool

from paas.engine_api import api_version
from paas.errors import EngineUnavailable
from paas.reporter import clean

TIMEOUT = 30  # seconds per call; streams have their own
HTTP_CONFLICT = 409
CONNECTIONS = 16  # that stay open while nothing is asked
UNIX = "unix://"


class OnePool(UnixHTTPAdapter):
    """Connections for whatever URL; docker-py would open and keep one for each container's."""

    def get_connection(self, url: bytes | str, proxies: object = None) -> UnixHTTPConnectionPool:  # noqa: ARG002 - docker-py's signature
        return super().get_connection(UNIX, proxies)


class Engine:
    """One engine by its URL. The client is made in the process that uses it: after every fork."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: tuple[int, APIClient] | None = None

    @property
    def api(self) -> APIClient:
        """The low-level client. Raises EngineUnavailable when the engine does not answer."""
        if self._client is None or self._client[0] != os.getpid():
            with self.answering():
                version = api_version(self._url, TIMEOUT)
                client = APIClient(base_url=self._url, version=version, timeout=TIMEOUT)
                client.trust_env = False  # no proxy stands before the engine; don't look for one
                if self._url.startswith(UNIX):
                    path = self._url.removeprefix(UNIX)
                    client.mount("http+docker://", OnePool(path, TIMEOUT, 1, CONNECTIONS))
                self._client = (os.getpid(), client)
        return self._client[1]

    def close(self) -> None:
        """Close idle connections; the next use opens new ones."""
        if self._client:
            self._client[1].close()
            self._client = None

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Turn silence and unexpected refusals into EngineUnavailable."""
        try:
            yield
        except APIError as error:
            raise EngineUnavailable(
                f"Docker Engine refused: {explanation(error)}", hint="Run: paas doctor"
            ) from error
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            DockerException,
            OSError,
        ) as error:
            raise EngineUnavailable(
                f"Docker Engine does not answer at {self._url}",
                hint="Run: systemctl status docker; paas doctor",
                details=(clean(str(error))[:300],),
            ) from error


def explanation(error: APIError) -> str:
    """Return the engine's own words in one line."""
    return " ".join(clean(str(error.explanation or error)).split())[:500]
