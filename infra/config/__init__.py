"""The configuration of an environment: read, checked and typed. No Pulumi in here."""
