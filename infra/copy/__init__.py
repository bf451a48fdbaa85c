"""`infra copy`: copy both buckets of an environment to another with rclone, and verify every object."""
