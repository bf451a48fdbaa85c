"""The stack outputs besides the variables of the env contract."""

#: The variables of every identity, in one shape.
IDENTITIES = "identities"
#: Which access key is in which env file. No identity can have this name.
KEY_SLOTS = "keySlots"

#: The start of the types of the components, which is in the URN of every resource below them.
COMPONENT_TYPE = "mpr-storage:index:"
#: The type of the component for a bucket, and its output that says whether the environment adopted the bucket.
BUCKET_COMPONENT = f"{COMPONENT_TYPE}Bucket"
ADOPTED = "adopted"
