"""Calls: with a token, within time, and again only where that does no harm."""

from __future__ import annotations

import ipaddress
import random
import time
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from lockgate.client.errors import MismatchError, UnreachableError, error_of, seconds_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

ATTEMPTS: Final = 3
LONGEST_WAIT_SECONDS: Final = 30.0
_AGAIN: Final = frozenset({429, 502, 503, 504})
Of = TypeVar("Of")


class Omitted(Enum):
    """That something was not said, which is not the same as nothing."""

    OMITTED = "omitted"


OMITTED: Final = Omitted.OMITTED


class Transport:
    """Sends requests to one control plane.

    Args:
        url: Where it is, such as `https://gate.example.com`.
        token: Of a service account.
        verify: Which certificates are believed; those of the system by default.
        timeout: For each attempt, in seconds.
        transport: In place of the network, in tests.
        sleep: Waits between attempts, in tests something else.

    Raises:
        ValueError: The token would go over a network without TLS.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        verify: ssl.SSLContext | bool = True,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        where = httpx.URL(url)
        if where.scheme != "https" and not _is_local(where.host):
            message = f"the token would go to {where.host} without TLS; write https://{where.netloc.decode()}"
            raise ValueError(message)
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=where,
            headers={"Authorization": f"Bearer {token}", "User-Agent": "lockgate-client"},
            verify=verify,
            timeout=timeout,
            transport=transport,
            # A token is for one place.
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def ask(
        self,
        of: type[Of],
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = OMITTED,  # noqa: ANN401 - JSON
    ) -> Of:
        """Call an operation; give its answer as a type.

        Raises:
            ClientError: Nothing came of it.
        """
        answer = self._answer(self._request(method, path, query, body))
        try:
            return TypeAdapter(of).validate_json(answer.content)
        except ValidationError as error:
            message = f"{method} {path} answered what this client does not know: {error}"
            raise MismatchError(message) from error

    def tell(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = OMITTED,  # noqa: ANN401 - JSON
    ) -> None:
        """Call an operation that answers nothing.

        Raises:
            ClientError: Nothing came of it.
        """
        self._answer(self._request(method, path, query, body))

    def stream(self, method: str, path: str, *, query: Mapping[str, Any] | None = None) -> Iterator[bytes]:
        """Call an operation whose answer is read piece by piece.

        Raises:
            ClientError: Nothing came of it, or it broke off.
        """
        answer = self._answer(self._request(method, path, query, OMITTED), stream=True)
        try:
            yield from answer.iter_bytes()
        except httpx.HTTPError as error:
            raise UnreachableError(str(error)) from error
        finally:
            answer.close()

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Any,  # noqa: ANN401 - JSON
    ) -> httpx.Request:
        said = {name: _plain(value) for name, value in (query or {}).items() if value is not OMITTED}
        wanted = {name: value for name, value in said.items() if value is not None}
        if body is OMITTED:
            return self._http.build_request(method, path, params=wanted)
        return self._http.build_request(method, path, params=wanted, json=_plain(body))

    def _answer(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        # Asking twice changes nothing; doing twice may.
        is_safe = request.method in {"GET", "HEAD"}
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self._http.send(request, stream=stream)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                # Nothing was sent yet, whatever it was.
                if attempt == ATTEMPTS:
                    raise UnreachableError(str(error)) from error
                self._sleep(_wait(attempt, None))
            except httpx.HTTPError as error:
                if attempt == ATTEMPTS or not is_safe:
                    raise UnreachableError(str(error) or type(error).__name__) from error
                self._sleep(_wait(attempt, None))
            else:
                if answer.is_success:
                    return answer
                answer.read()
                if attempt == ATTEMPTS or not is_safe or answer.status_code not in _AGAIN:
                    raise error_of(answer)
                self._sleep(_wait(attempt, seconds_of(answer)))
        message = "there is no attempt left"
        raise UnreachableError(message)


def _wait(attempt: int, asked: float | None) -> float:
    own = 0.25 * float(2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 - nobody gains by guessing it
    return min(max(own, asked or 0.0), LONGEST_WAIT_SECONDS)


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Models, times and what is left out, as JSON has them."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if one is not OMITTED}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
