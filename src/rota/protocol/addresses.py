"""Where a server may be sent to by what somebody wrote into a webhook. Source: threats.md, T27."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")


def is_allowed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether it is public, or inside one of the `networks` that the operator named.

    An IPv6 address that stands for an IPv4 one is as good as that one.
    """
    if any(address in network for network in networks):
        return True
    inner = _inside(address)
    if inner is not None:
        return is_allowed(inner, networks)
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inside(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def refusal(shown: str, address: Address) -> str:
    """Why nothing is sent there, and what would allow it."""
    network = f"{address}/{address.max_prefixlen}"
    return (
        f"{shown} is no public address, and nothing is sent there. "
        f"Whoever runs the server can allow it: ROTA_WEBHOOK_NETWORKS={network}"
    )
