"""Pulumi's dynamic providers: thin adapters over `infra.stores`.

Never rename a module or a provider class here: state files hold them by name, and a `pulumi destroy` runs
what the state says.
"""
