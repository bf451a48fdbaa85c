"""Parts of messages that several targets share."""

REFUSED_BY_CLOUDS = {
    "endpoint": "the endpoint follows from the target; remove it",
    "publicEndpoint": "browsers reach the endpoint itself; remove it",
    "adminAccessKeyId": "the provider's own credentials are used; remove it",
    "adminSecretAccessKey": "the provider's own credentials are used; remove it",
    "keys": "the deployment creates access keys; remove it",
}
WHOLE_BUCKETS = (
    "access keys are for whole buckets on this target; create another environment for data that must be separate"
)

ADOPT_BUCKET = (
    "a bucket of this name already exists in this account: set `mpr-storage:adopt: true` to take it over as "
    "it is, or choose another name in `mpr-storage:buckets`"
)
NAME_TAKEN = (
    "the bucket name belongs to another account, and bucket names are unique in the whole cloud: choose another "
    "in `mpr-storage:buckets`, or remove it to have one generated"
)
NOT_EMPTY = (
    "the bucket is not empty and not disposable, so it stays: empty it yourself, or deploy once with "
    "`mpr-storage:disposable: true` if its content may be deleted"
)
SAME_IDENTITY = (
    "a resource of this name already exists outside this stack. If the state was lost, set "
    "`mpr-storage:adoptIdentities: true` to take it over (docs/how-to/recovery.md); otherwise choose another name "
    "for the environment or the identity"
)
DELETED = (
    "this resource does not exist any more: it was deleted outside of Pulumi. Run `pulumi up --refresh`, which "
    "creates it again; for a bucket, first see docs/how-to/recovery.md"
)
QUOTA = "a limit of the account is reached: delete what is not in use, or ask the cloud for more"
EXPIRED = "the credentials of this deployment have expired: log in again, then run the same command"
DEPLOYER = "the credentials of this deployment lack a permission; docs/how-to/deployers.md says what they need"
