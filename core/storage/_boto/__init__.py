"""All that touches botocore: sessions, clients, credentials, signing and presigning."""
