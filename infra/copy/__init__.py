"""Mirroring both buckets of an environment to another: rclone moves the bytes, this says which and proves them."""
