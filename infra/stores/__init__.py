"""Buckets and identities of a running S3-compatible store, in plain functions without Pulumi.

The dynamic providers (`infra.resources`) and `infra init` call the same functions.
"""
