"""Which policies a scheduler knows: those of installed packages, and outside schedulers by their settings."""

import binascii
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from rota.protocol.problems import InvalidRequest
from rota.scheduler.installed import Installed, installed_names
from rota.scheduler.outside import Outside
from rota.scheduler.policies import Policies, Policy
from rota.world import World

URLS, SECRETS = "ROTA_POLICY_URLS", "ROTA_POLICY_SECRETS"


def known_policies(urls: Mapping[str, str], secrets: Mapping[str, str], timeout_s: float, world: World) -> Policies:
    """All of them. Raises InvalidRequest naming the setting that cannot be."""
    known: dict[str, Policy] = {name: Installed(name, timeout_s) for name in installed_names()}
    for name, url in urls.items():
        if name in known:
            raise InvalidRequest.of(URLS, f"names `{name}`, which is a policy of an installed package; choose another")
        _check_url(name, url)
        _check_secret(name, secrets.get(name))
        known[name] = Outside(url, secrets[name], timeout_s, world)
    for name in secrets:
        if name not in urls:
            raise InvalidRequest.of(SECRETS, f"names `{name}`, for which there is no URL")
    return Policies(known, world)


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in {"https", "http"} or not host:
        raise InvalidRequest.of(URLS, f"`{url}` of `{name}` is no URL; write https://HOST/PATH")
    if parts.scheme == "http" and not _is_here(host):
        raise InvalidRequest.of(URLS, f"`{url}` of `{name}` would send jobs in the clear; write https://")


def _check_secret(name: str, secret: str | None) -> None:
    if secret is None:
        raise InvalidRequest.of(SECRETS, f"has no secret for `{name}`; make one with: openssl rand -base64 24")
    try:
        Webhook(secret)
    except (binascii.Error, ValueError, EmptyWebhookSecretError):
        raise InvalidRequest.of(SECRETS, f"has no secret in base64 (whsec_…) for `{name}`") from None


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
