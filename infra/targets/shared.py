"""Sentences that several clouds share."""

REFUSED_BY_CLOUDS = {
    "endpoint": "the endpoint follows from the target; remove it",
    "publicEndpoint": "browsers reach the endpoint itself; remove it",
    "adminAccessKeyId": "the provider's own credentials are used; remove it",
    "adminSecretAccessKey": "the provider's own credentials are used; remove it",
    "keys": "keys are made by the deployment; remove it",
}
WHOLE_BUCKETS = (
    "keys are for whole buckets here; make an environment with buckets of its own for what is to be apart"
)

ADOPT_BUCKET = (
    "there is a bucket of this name already, and it is yours: set `mpr-storage:adopt: true` to take it over as "
    "it is, or choose another name in `mpr-storage:buckets`"
)
NAME_TAKEN = (
    "the bucket name belongs to another account, and bucket names are unique in the whole cloud: choose another "
    "in `mpr-storage:buckets`, or leave it out to have one made"
)
NOT_EMPTY = (
    "the bucket is not empty and not disposable, so it stays: empty it yourself, or deploy once with "
    "`mpr-storage:disposable: true` if everything in it may go"
)
SAME_IDENTITY = (
    "there is one of this name already that this stack does not know. If the state was lost, set "
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
