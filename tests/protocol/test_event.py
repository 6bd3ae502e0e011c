"""Events' names and ids, webhooks' addresses and secrets. Source: protocol.md, "Events"; threats.md, T27."""

from ipaddress import ip_address, ip_network

import pytest

from rota.protocol.addresses import is_allowed, refusal
from rota.protocol.event import EventType, check_patterns, event_id, is_any_met, is_met, read_event_id
from rota.protocol.problems import InvalidRequest
from rota.protocol.webhook import check_url, key_of, new_secret


@pytest.mark.parametrize("pattern", ["*", "dev.*", "dev.rota.*", "dev.rota.job.*", "dev.rota.job.finished"])
def test_a_pattern_meets_what_is_below_it(pattern: str) -> None:
    check_patterns([pattern], "events")

    assert is_met(pattern, EventType.JOB_FINISHED)
    assert not is_met("dev.rota.job.finish*", EventType.JOB_FINISHED)
    assert not is_met("dev.rota.jo.*", EventType.JOB_FINISHED)


def test_no_pattern_asks_for_all() -> None:
    assert all(is_any_met([], kind) for kind in EventType)


@pytest.mark.parametrize("pattern", ["", "job.*", "dev.rota.job.", "dev.rota.job", "**", "dev.*.finished", "x.*"])
def test_a_pattern_that_nothing_meets_is_refused_with_what_to_write(pattern: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        check_patterns(["*", pattern], "events")
    assert told.value.extra["errors"][0].field == "events"


def test_an_events_id_reads_back() -> None:
    assert read_event_id(event_id("0a1b2c3d", 17), "after") == ("0a1b2c3d", 17)
    assert "." not in event_id("0a1b2c3d", 17)  # it would make the signed content ambiguous: Standard Webhooks


@pytest.mark.parametrize("text", ["", "17", "x-17", "0a1b2c3d-", "0a1b2c3d--1", "0a1b2c3d-1 ", "0a1b2c3d-" + "9" * 19])
def test_what_is_no_events_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_event_id(text, "after")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1",
        "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_what_is_not_public_is_not_sent_to(address: str) -> None:
    assert not is_allowed(ip_address(address), [])


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"])
def test_what_is_public_is(address: str) -> None:
    assert is_allowed(ip_address(address), [])


def test_what_the_operator_names_is_allowed_and_no_more() -> None:
    networks = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]

    allowed = ["10.1.2.3", "::ffff:10.1.2.3", "fd12::1"]
    assert [one for one in allowed if not is_allowed(ip_address(one), networks)] == []
    assert not is_allowed(ip_address("127.0.0.1"), networks)


def test_a_refusal_says_what_would_allow_it() -> None:
    assert "ROTA_WEBHOOK_NETWORKS=10.0.0.1/32" in refusal("10.0.0.1", ip_address("10.0.0.1"))


@pytest.mark.parametrize("url", ["https://a.example", "http://a.example:8080/x?y=z", "https://[2606:4700::1111]/"])
def test_a_url_that_can_be_sent_to(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "", "a.example", "file:///etc/passwd", "gopher://a", "https://", "https:///x", "https://a.example:0",
        "https://a.example:x", "https://a:b@c", "https://a@c", "https://a b", "https://a\r\nb", "https://a/#x",
        "https://[::1", "https://ä.example", "https://a/" + "x" * 2000,
    ],
)  # fmt: skip
def test_a_url_that_cannot(url: str) -> None:
    with pytest.raises(InvalidRequest):
        check_url(url)


def test_a_new_secret_is_one_that_may_be_given() -> None:
    assert key_of(new_secret(b"x" * 32)) == b"x" * 32
    for bad in ("", "whsec_", "whsec_!!!!", new_secret(b"short"), new_secret(b"x" * 65), "x" * 32):
        with pytest.raises(InvalidRequest):
            key_of(bad)
