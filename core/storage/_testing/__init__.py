"""The S3 server of `core.storage.testing`."""
