"""Pulumi's dynamic providers: thin adapters over `infra.stores`.

Never rename a module, a provider class or a property here: state files have them by name, and `pulumi destroy`
imports the class that the state names.
"""
