"""Writes BYTES bytes of lines to stdout, 60 kB at a time, says `written` on stderr, and waits to be stopped."""

import os
import signal
import sys

LINE = b"GET /api/v1/orders/1234567 200 in 12 ms, 1523 bytes".ljust(99, b".") + b"\n"
WRITE = LINE * 600

for _ in range(int(sys.argv[1]) // len(WRITE)):
    left = memoryview(WRITE)
    while left:
        left = left[os.write(1, left) :]

os.write(2, b"written\n")
signal.pause()
