"""For fuzz tests: SIP messages, descriptions and packets as grammars make them, then spoilt a little."""

from __future__ import annotations

import struct
from itertools import chain
from typing import TypeVar

from hypothesis import strategies as st

CRLF = "\r\n"

T = TypeVar("T")


def mostly(good: st.SearchStrategy[T], bad: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """One in 24 is bad: a message has some twenty parts, and one fault should be the rule."""
    return st.integers(0, 23).flatmap(lambda luck: bad if luck == 17 else good)


def of(*good: str, bad: tuple[str, ...] = ("",)) -> st.SearchStrategy[str]:
    return mostly(st.sampled_from(good), st.sampled_from(bad))


tokens = st.text(st.sampled_from("abcXYZ019-.!%*_+`'~"), min_size=1, max_size=8)
hosts = of(
    "192.0.2.2", "192.0.2.2", "[2001:db8::2]", "trunk.test", "a-b.example.", bad=("999.1.1.1", "[::", "-")
)
ports = of("", "", ":5060", ":1", ":65535", bad=(":0", ":65536", ":x", ":"))
quoted = st.text(st.sampled_from('ab\\" ,;<>=\t京'), max_size=6).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
values = tokens | quoted | hosts
parameters = st.lists(
    st.tuples(tokens, st.none() | values).map(
        lambda pair: pair[0] if pair[1] is None else f"{pair[0]}={pair[1]}"
    ),
    max_size=3,
).map(lambda found: "".join(f";{each}" for each in found))
users = st.sampled_from(
    ["", "110@", "13803790001@", "a%20b:secret@", "+86379;phone-context=x@", "\x00@", "@@"]
)
uris = st.builds(
    lambda scheme, user, host, port, params, headers: f"{scheme}:{user}{host}{port}{params}{headers}",
    of("sip", "sip", "sips", "SIP", "tel", bad=("urn", "x-y", "")), users, hosts, ports, parameters,
    of("", bad=("?a=b", "?Route=%3Csip:x%3E&b")),
)  # fmt: skip
name_addrs = st.builds(
    lambda display, uri, params, bare: f"{uri}{params}" if bare else f"{display} <{uri}>{params}",
    st.just("") | quoted | tokens, uris, parameters, mostly(st.just(False), st.just(True)),
)  # fmt: skip
vias = st.builds(
    lambda transport, host, port, params: f"SIP/2.0/{transport} {host}{port};branch=z9hG4bK1{params}",
    of("UDP", "TCP", "TLS", "sctp", bad=("U D P", "")), hosts, ports, parameters,
)  # fmt: skip
methods = st.sampled_from(
    [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "INFO",
        "PRACK",
        "UPDATE",
        "REFER",
        "NOTIFY",
        "REGISTER",
        "X!",
    ]
)
numbers = st.sampled_from(["0", "1", "70", "1800", "-1", "4294967296", "x", ""])
any_text = st.text(max_size=12) | st.binary(max_size=8).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)

HEADERS: dict[str, st.SearchStrategy[str]] = {
    "Via": vias, "v": vias, "From": name_addrs, "f": name_addrs, "To": name_addrs, "t": name_addrs,
    "Contact": name_addrs | st.just("*"), "m": name_addrs, "Route": name_addrs, "Record-Route": name_addrs,
    "Call-ID": tokens, "i": any_text, "Max-Forwards": numbers, "Subject": any_text, "s": any_text,
    "Session-Expires": st.builds("{}{}".format, numbers, parameters), "Min-SE": numbers, "Expires": numbers,
    "Require": tokens, "Supported": st.sampled_from(["100rel", "timer", "timer, 100rel", ",", ""]),
    "RSeq": numbers, "RAck": st.builds("{} {} {}".format, numbers, numbers, methods),
    "Retry-After": st.builds("{}{}".format, numbers, parameters), "Warning": any_text,
    "Reason": st.builds("Q.850;cause={}{}".format, numbers, parameters), "Refer-To": name_addrs,
    "WWW-Authenticate": st.builds('Digest realm={}, nonce={}, qop="auth,{}"'.format, quoted, quoted, tokens),
    "Proxy-Authenticate": any_text, "Event": tokens, "Subscription-State": any_text,
    "Content-Type": st.sampled_from(["application/sdp", "multipart/mixed;boundary=x", "text/plain", ";", ""]),
    "Content-Encoding": tokens, "Accept": any_text, "Geolocation": name_addrs, "Date": any_text,
}  # fmt: skip
headers = st.sampled_from(sorted(HEADERS)).flatmap(lambda name: st.tuples(st.just(name), HEADERS[name]))


def spoilt(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """With some octets cut out and others put in; places are shares of the length."""
    for share, cut, insert in edits:
        at = int(share * len(data))
        data = data[:at] + insert + data[at + cut :]
    return data


more_headers = st.lists(headers, max_size=5)
edits = mostly(
    st.just([]),
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 6),
            st.binary(max_size=4)
            | st.sampled_from([b"\r\n", b"\r\n ", b'"', b"<", b">", b"\\", b",", b";", b"\x00"]),
        ),
        max_size=3,
    ),
)

media_words = st.sampled_from(["audio", "video", "image", "x"])
protocols = st.sampled_from(["RTP/AVP", "RTP/SAVP", "udptl", "rtp/avp", "TCP/MRCP"])
formats = st.lists(
    st.sampled_from(["0", "8", "13", "18", "96", "101", "128", "t38", "-1"]), min_size=1, max_size=5
)
attributes = st.sampled_from([
    "a=rtpmap:101 telephone-event/8000", "a=rtpmap:96 PCMA/8000", "a=rtpmap:96 opus/48000/2", "a=rtpmap:x",
    "a=fmtp:101 0-15", "a=ptime:20", "a=ptime:60", "a=ptime:0", "a=maxptime:10", "a=sendonly", "a=inactive",
    "a=rtcp:30001 IN IP4 192.0.2.9", "a=rtcp:0", "a=rtcp-mux", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
    + "A" * 40, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:short", "a=crypto:x", "c=IN IP4 0.0.0.0",
    "c=IN IP6 2001:db8::9", "c=IN IP4 224.2.1.1/127", "b=AS:64", "a=", "i=x", "k=clear:x",
])  # fmt: skip
streams = st.builds(
    lambda kind, port, protocol, kinds, more: [f"m={kind} {port} {protocol} {' '.join(kinds)}", *more],
    media_words, of("30000", "30000", "0", "30000/2", bad=("65536", "x")), protocols, formats,
    st.lists(attributes, max_size=5),
)  # fmt: skip
descriptions = st.builds(
    lambda head, address, found, end: end.join(["v=0", head, address, *chain(*found), ""]).encode(),
    of("o=- 1 1 IN IP4 192.0.2.2", bad=("o=x", "s=-", "a=sendonly")),
    of("c=IN IP4 192.0.2.2", bad=("c=IN IP6 ::1", "t=0 0", "c=x", "c=IN IP4 name.test")),
    st.lists(streams, max_size=4), st.sampled_from([CRLF, "\n"]),
)  # fmt: skip
bodies = st.just(b"") | descriptions | st.binary(max_size=20)


def _message(start: str, more: list[tuple[str, str]], body: bytes) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in more)]
    return (CRLF.join(lines) + CRLF * 2).encode("utf-8", "surrogateescape") + body


needed = st.builds(
    lambda via, from_, to, call_id, number: [
        ("Via", via), ("From", f"{from_};tag=1"), ("To", to), ("Call-ID", call_id), ("Max-Forwards", number),
    ],
    vias, name_addrs, name_addrs, tokens, numbers,
)  # fmt: skip
requests = st.builds(
    lambda method, uri, have, number, other, more, body: _message(
        f"{method} {uri} SIP/2.0", [*have, ("CSeq", f"{number} {other or method}"), *more], body
    ),
    methods, uris, needed, numbers, mostly(st.just(""), methods), more_headers, bodies,
)  # fmt: skip
responses = st.builds(
    lambda status, have, number, method, more, body: _message(
        f"SIP/2.0 {status} X", [*have, ("CSeq", f"{number} {method}"), *more], body
    ),
    mostly(st.integers(100, 699), st.sampled_from([0, 99, 700])), needed, numbers, methods, more_headers,
    bodies,
)  # fmt: skip
messages = st.builds(spoilt, requests | responses, edits)

rtp_packets = st.builds(
    spoilt,
    st.builds(
        lambda first, second, sequence, timestamp, ssrc, payload: (
            struct.pack("!BBHII", first, second, sequence, timestamp, ssrc) + payload
        ),
        st.sampled_from([0x80, 0x80, 0x80, 0xA0, 0x90, 0x8F, 0x40]),
        st.sampled_from([8, 0, 13, 101, 136, 229, 200, 201, 72]),
        st.integers(0, 0xFFFF),
        st.sampled_from([0, 160, 0xFFFFFFFF, 0x80000000]) | st.integers(0, 0xFFFFFFFF),
        st.sampled_from([1, 2]),
        st.binary(max_size=8) | st.sampled_from([bytes(160), bytes(80), b"\x01\x8a\x00\xa0"]),
    ),
    edits,
)
rtcp_packets = st.builds(
    spoilt,
    st.lists(
        st.builds(
            lambda first, kind, body: struct.pack("!BBH", first, kind, len(body) // 4) + body,
            st.sampled_from([0x80, 0x81, 0x82, 0x9F, 0xA1]),
            st.sampled_from([200, 201, 202, 203, 204, 207]),
            st.integers(0, 13).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)),
        ),
        min_size=1,
        max_size=3,
    ).map(b"".join),
    edits,
)
