# SPDX-License-Identifier: BSD-2-Clause
"""Writes trace files in the format of docs/trace.md, independently of the program that reads them."""
import re
import struct

HZ = 1_000_000_000  # a tick is a nanosecond

HEADER = struct.Struct('<8sIIIIQQQ16x')
RECORD = struct.Struct('<QIHBB4Q')


def numbers(page):
    """The events of the table in docs/trace.md, by name."""
    with open(page, encoding='utf-8') as file:
        return {name: int(number) for number, name in re.findall(r'^\| (\d+) \| ([A-Z_]+) \|', file.read(), re.M)}


def record(ns, vp, event, vtl, *arguments):
    return RECORD.pack(ns, vp, event, vtl, 0, *(a & (1 << 64) - 1 for a in (*arguments, 0, 0, 0, 0)[:4]))


def header(vps, records, lost=0, version=2, size=64, record_size=48, hz=HZ, magic=b'VSMTRACE'):
    return HEADER.pack(magic, version, size, record_size, vps, hz, records, lost)


def trace(records, vps=2, lost=0, **more):
    records = list(records)
    return header(vps, len(records), lost, **more) + b''.join(records)


def read(data):
    return list(RECORD.iter_unpack(data[64:]))
