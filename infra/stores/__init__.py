"""Buckets and identities on a running S3-compatible store: plain functions, no Pulumi.

The dynamic providers (`infra.resources`) and the initialiser (`infra.init`) both call these.
"""
