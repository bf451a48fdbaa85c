"""`infra check`: try with each identity's env file what it may and may not do."""
