"""The code around botocore: sessions, clients, signing and presigning."""
