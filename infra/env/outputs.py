"""The stack outputs besides the variables of the env contract."""

#: The variables of every identity, in one shape.
IDENTITIES = "identities"
#: Which access key is in which env file. No identity can have this name.
KEY_SLOTS = "keySlots"

#: The type of the component for a bucket, and its output that says whether the environment adopted the bucket.
BUCKET_COMPONENT = "mpr-storage:index:Bucket"
ADOPTED = "adopted"
