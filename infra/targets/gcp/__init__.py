"""Target `gcp`: Google Cloud Storage."""
