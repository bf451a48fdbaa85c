"""Limits of time and number, for botocore's client and for our own requests alike."""

#: Seconds. A store that does not take a connection in this time is down.
CONNECT_TIMEOUT = 5
#: Seconds without a byte. botocore's own 60, times its attempts, would be five minutes for one stalled response.
READ_TIMEOUT = 20
#: Connections kept open: the most threads that are useful at once.
POOL = 32
#: Transfers at once: enough for small objects on a network with some delay; on one machine, 8 are as fast.
WORKERS = 16
#: The most keys that S3 returns at once.
PAGE = 1000
