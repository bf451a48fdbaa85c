"""Limits of time and number, for the requests of this library and for the client of botocore."""

#: Seconds. A store that does not accept a connection in this time is down.
CONNECT_TIMEOUT = 5
#: Seconds without a byte. The 60 of botocore, times its attempts, would be five minutes for one stalled response.
READ_TIMEOUT = 20
#: Connections kept open: the most threads that are useful at once.
POOL = 32
#: Transfers at once: enough for small objects on a network with some delay; on one machine, 8 are as fast.
WORKERS = 16
#: The most keys that S3 returns at once.
PAGE = 1000
