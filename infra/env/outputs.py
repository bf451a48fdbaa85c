"""The stack outputs besides the variables of the env contract."""

#: The variables of every identity, in one shape.
IDENTITIES = "identities"
#: Which access key is in which env file. No identity can have this name.
SLOTS = "keySlots"
