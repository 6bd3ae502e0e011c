"""An outside scheduler: the same question by HTTPS, signed, and the same answer. Source: Standard Webhooks 1.0."""

from http import HTTPStatus

import aiohttp
from standardwebhooks import Webhook

from rota.protocol.policy import PolicyAnswer
from rota.protocol.problems import InvalidRequest, Unparsable
from rota.protocol.wire import read_request
from rota.scheduler.policies import PolicyFailed
from rota.world import World

ANSWER_SIZE_BYTES_MAX = 64 * 1024


class Outside:
    """See `rota.scheduler.policies.Policy`. 204 is: as usual."""

    at_once = 16

    def __init__(self, url: str, secret: str, timeout_s: float, world: World) -> None:
        self._url, self._timeout_s, self._world = url, timeout_s, world
        self._webhook = Webhook(secret)
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, body: bytes, key: str) -> PolicyAnswer | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout_s))
        try:
            async with self._session.post(
                self._url, data=body, headers=self._headers(body, key), allow_redirects=False
            ) as response:
                status, answer = response.status, b""
                async for piece in response.content.iter_chunked(ANSWER_SIZE_BYTES_MAX):
                    answer += piece
                    if len(answer) > ANSWER_SIZE_BYTES_MAX:
                        raise PolicyFailed(f"answered more than {ANSWER_SIZE_BYTES_MAX} bytes")
        except TimeoutError:
            raise PolicyFailed(f"did not answer within {self._timeout_s:g} s", is_costly=True) from None
        except (aiohttp.ClientError, OSError) as error:
            raise PolicyFailed(f"cannot be asked ({type(error).__name__})", is_costly=True) from None
        if status == HTTPStatus.NO_CONTENT:
            return None
        if status != HTTPStatus.OK:
            raise PolicyFailed(f"answered {status}; 200 with an answer or 204 is meant")
        try:
            return read_request(answer, PolicyAnswer)
        except (InvalidRequest, Unparsable) as problem:
            raise PolicyFailed(f"gave an answer that cannot be: {problem.detail}") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _headers(self, body: bytes, key: str) -> dict[str, str]:
        now = self._world.now()
        return {
            "Content-Type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(key, now, body.decode()),
        }
