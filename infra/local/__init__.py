"""The embedded store: a SeaweedFS that runs on the user's own machine, for environments that need no cloud.

`infra.local.store` starts, finds, stops and removes it; `infra.local.command` is `python -m infra store`.
"""
