"""Requests to a store and their responses: connections, proxies, retries and S3 error codes."""
