"""Target `s3-compatible`: an S3-compatible store."""
