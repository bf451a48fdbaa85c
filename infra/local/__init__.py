"""Environments on this machine: the embedded store (a SeaweedFS), and the commands `up`, `down` and `store`."""
