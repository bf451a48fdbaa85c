"""Targets: the kinds of platforms that an environment is on. One folder a target."""
