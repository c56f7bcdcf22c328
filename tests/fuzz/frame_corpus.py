#!/usr/bin/env python3
"""Writes the seed inputs of the fuzz targets `frame` and `frame_differential` (their layout: see there)."""
import ipaddress
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
OURS = bytes.fromhex("020000000001")
THEIRS = bytes.fromhex("020000000002")
ALL = b"\xff" * 6
EXCLUSIVE, STRANGERS, TRUST, SINGLE, ROOM = 1, 2, 8, 16, 32


def ip(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(kind, payload, to=OURS, tags=()):
    header = to + THEIRS + b"".join(struct.pack("!HH", 0x8100, tag) for tag in tags)
    return (header + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def ipv4(protocol, payload, source="192.0.2.7", to="192.0.2.1", options=b""):
    size = 20 + len(options)
    header = bytearray(struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(payload), 7, 0, 60, protocol, 0))
    header += ip(source) + ip(to) + options
    struct.pack_into("!H", header, 10, checksum(bytes(header)))
    return bytes(header) + payload


def pseudo(source, to, size, protocol):
    return ip(source) + ip(to) + struct.pack("!IxxxB", size, protocol)


def ipv6(next_header, payload, source="fe80::2", to="2001:db8::1", hops=255):
    return struct.pack("!IHBB", 6 << 28, len(payload), next_header, hops) + ip(source) + ip(to) + payload


def udp(payload, source, to, port=123, from_port=40000):
    size = 8 + len(payload)
    plain = struct.pack("!HHHH", from_port, port, size, 0) + payload
    return plain[:6] + struct.pack("!H", checksum(pseudo(source, to, size, 17) + plain) or 0xFFFF) + payload


def icmpv6(kind, body, source="fe80::2", to="2001:db8::1", hops=255):
    plain = struct.pack("!BBH", kind, 0, 0) + body
    sum_ = checksum(pseudo(source, to, len(plain), 58) + plain)
    return ipv6(58, plain[:2] + struct.pack("!H", sum_) + body, source, to, hops)


def arp(operation, sender, target):
    return struct.pack("!HHBBH", 1, 0x800, 6, 4, operation) + THEIRS + ip(sender) + bytes(6) + ip(target)


def ntp(mode=3, version=4, more=b""):
    return bytes([version << 3 | mode, 0, 6, 0xE8]) + bytes(20) + bytes(range(1, 25)) + more


def echo(kind):
    plain = struct.pack("!BBHHH", kind, 0, 0, 7, 1) + b"ping" * 8
    return plain[:2] + struct.pack("!H", checksum(plain)) + plain[4:]


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def frames():
    v6 = ("2001:db8:1::7", "2001:db8::1")
    solicited = bytes.fromhex("3333ff000001")
    link = b"\x01\x01" + THEIRS
    query = struct.pack("!BBHHH", 130, 0, 0, 1000, 0) + bytes(20)
    return {
        "ntp_ipv4": ethernet(0x800, ipv4(17, udp(ntp(), "192.0.2.7", "192.0.2.1"))),
        "ntp_ipv6": ethernet(0x86DD, ipv6(17, udp(ntp(), *v6), *v6, 60)),
        "ntp_vlan": ethernet(0x800, ipv4(17, udp(ntp(), "192.0.2.7", "198.51.100.1"), to="198.51.100.1"), tags=[7]),
        "ntp_qinq": ethernet(0x800, ipv4(17, udp(ntp(), "192.0.2.7", "198.51.100.1"), to="198.51.100.1"),
                             tags=[0x2064, 7]),
        "ntp_options": ethernet(0x800, ipv4(17, udp(ntp(), "192.0.2.7", "192.0.2.1"), options=b"\1\1\1\0")),
        "ntp_extension_header": ethernet(0x86DD, ipv6(60, b"\x11\0\1\4\0\0\0\0" + udp(ntp(), *v6), *v6, 60)),
        "ntp_fragment": ethernet(0x86DD, ipv6(44, b"\x11\0\0\1\0\0\0\7" + udp(ntp(), *v6), *v6, 60)),
        "ntp_group": ethernet(0x800, ipv4(17, udp(ntp(5), "192.0.2.7", "224.0.1.1"), to="224.0.1.1"),
                              to=bytes.fromhex("01005e000101")),
        "ntp_server": ethernet(0x800, ipv4(17, udp(ntp(4), "192.0.2.7", "192.0.2.1", from_port=123))),
        "ntp_client_port": ethernet(0x800, ipv4(17, udp(ntp(4), "192.0.2.9", "192.0.2.1", port=45678))),
        "arp_request": ethernet(0x806, arp(1, "192.0.2.7", "192.0.2.1"), ALL),
        "arp_probe": ethernet(0x806, arp(1, "0.0.0.0", "198.51.100.1"), ALL, [7]),
        "arp_reply": ethernet(0x806, arp(2, "192.0.2.7", "192.0.2.1")),
        "arp_conflict": ethernet(0x806, arp(1, "192.0.2.1", "192.0.2.1"), ALL),
        "solicitation": ethernet(0x86DD, icmpv6(135, bytes(4) + ip("2001:db8::1") + link, to="ff02::1:ff00:1"),
                                 solicited),
        "duplicate_detection": ethernet(
            0x86DD, icmpv6(135, bytes(4) + ip("2001:db8::1"), "::", "ff02::1:ff00:1"), solicited),
        "advertisement": ethernet(0x86DD, icmpv6(136, b"\x60\0\0\0" + ip("fe80::2") + b"\x02\x01" + THEIRS)),
        "ping": ethernet(0x800, ipv4(1, echo(8))),
        "ping6": ethernet(0x86DD, icmpv6(128, b"\0\7\0\1" + b"ping" * 8, hops=60)),
        "too_big": ethernet(0x86DD, icmpv6(2, struct.pack("!I", 1280) + bytes(48))),
        "listener_query": ethernet(0x86DD, ipv6(0, b"\x3a\0\5\2\0\0\1\0" + query, to="ff02::1", hops=1),
                                   bytes.fromhex("333300000001")),
        "tcp": ethernet(0x800, ipv4(6, bytes(20))),
        "lldp": ethernet(0x88CC, bytes(46), bytes.fromhex("0180c200000e")),
    }


def main():
    every = frames()
    for name, frame in every.items():
        write("frame", name, bytes([EXCLUSIVE | STRANGERS | SINGLE | ROOM]) + frame)
    burst = b"".join(struct.pack("!H", len(frame)) + frame for frame in every.values())
    for name, options in (("burst_exclusive", EXCLUSIVE | STRANGERS), ("burst_shared", 4),
                          ("burst_trusted", EXCLUSIVE | TRUST | ROOM)):
        write("frame", name, bytes([options]) + burst)

    mac = struct.pack("!I", 1) + bytes(16)
    padding = struct.pack("!HH", 0x2005, 28) + bytes(24)
    mono = struct.pack("!HHI", 0xF323, 28, 0xF5BEDD9A) + bytes(20)
    packets = [(2, ntp()), (3, ntp(version=3)), (2 | 4, ntp(1)), (2 | 8, ntp(more=mac)), (3 | 16, ntp(more=padding)),
               (2 | 32, ntp(more=mono + padding)), (3 | 32, ntp(0, 1)), (2 | 64 | 128, ntp()), (2 | 64, ntp()),
               (1, ntp()), (2, ntp(6)), (2, ntp()[:47]), (2, b""), (2 | 64, ntp(more=mono))]
    for options in (0, 1, 2, 6, 14):
        data = b"".join(struct.pack("!BH", wrapping, len(packet)) + packet for wrapping, packet in packets)
        write("frame_differential", f"kinds_{options}", bytes([options, options]) + data)
    again = b"".join(struct.pack("!BH", 2 | 64 | 128, 48) + ntp() for _ in range(20))
    write("frame_differential", "interleaved", b"\2\1" + again)
    write("frame_differential", "limited", b"\3\1" + again)


main()
