"""How a test calls the REST of settlement."""

from typing import Any

import httpx

from goldx.client.keys import Key

JSON = dict[str, Any]


class Rest:
    """REST calls in the name of a key."""

    def __init__(self, http: httpx.AsyncClient, keys: dict[str, Key]) -> None:
        self._http = http
        self._keys = keys

    async def __call__(self, who: str, method: str, path: str, status: int = 200, **more: Any) -> JSON:
        """Call a path under ``/v1/settlement``; the answer must have that status, a problem unless it is 200."""
        headers = {**self._authorization(who), **more.pop("headers", {})}
        answer = await self._http.request(method, "/v1/settlement" + path, headers=headers, **more)
        assert answer.status_code == status, answer.text
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json"
        found: JSON = answer.json()
        return found

    async def anybody(self, method: str, path: str, status: int = 200) -> JSON:
        """Call a whole path without a token."""
        answer = await self._http.request(method, path)
        assert answer.status_code == status, answer.text
        found: JSON = answer.json()
        return found

    async def raw(self, who: str, path: str) -> bytes:
        """Return the bytes of an answer that is not JSON."""
        answer = await self._http.get("/v1/settlement" + path, headers=self._authorization(who))
        assert answer.status_code == 200, answer.text
        return answer.content

    async def content(self, who: str, path: str, **params: str) -> bytes:
        """Return the bytes of a file."""
        answer = await self._http.get("/v1/settlement" + path, headers=self._authorization(who), params=params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment; filename")
        return answer.content

    def _authorization(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[who].bearer_token()}"}
