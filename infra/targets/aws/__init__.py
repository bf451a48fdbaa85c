"""Target `aws`: Amazon S3."""
