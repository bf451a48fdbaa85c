"""What is known of target `aws`."""

from __future__ import annotations

from infra.command_name import COMMAND
from infra.targets.aws.rules import RANDOM_SUFFIX, check
from infra.targets.shared import (
    ADOPT_BUCKET,
    DELETED,
    DEPLOYER,
    EXPIRED,
    NAME_TAKEN,
    NOT_EMPTY,
    QUOTA,
    REFUSED_BY_CLOUDS,
    SAME_IDENTITY,
)
from infra.targets.spec import Explanation, NameRule, TagRule, TargetSpec

_TWO_KEYS = (
    "the user has two access keys already, which is all that AWS allows: delete the one that is not in use "
    "(`aws iam list-access-keys`, `aws iam delete-access-key`), then run the same command"
)
_REGION = "the bucket is in another region: set `mpr-storage:region` to that one"

SPEC = TargetSpec(
    name="aws",
    credentials=("user", "role"),
    group="aws",
    package="aws",
    required=("region",),
    refused={
        **REFUSED_BY_CLOUDS,
        "location": "on AWS that is `region`",
        "jurisdiction": "choose a `region` there",
        "project": "only gcp has projects; remove it",
        "account": "the account is that of the credentials of the deployment; remove it",
        "buckets.softDeleteDays": "use `versioning` with `noncurrentDays`",
    },
    check=check,
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    bucket_names=(
        NameRule(
            r".*\.",
            "must hold no dot: AWS' certificate does not cover it. Use hyphens, or for an existing "
            "bucket `addressingStyle: path`",
            lifted_by="path",
        ),
        NameRule(
            "(xn--|sthree-|amzn-s3-demo-)",
            "must not start with xn--, sthree- or amzn-s3-demo-, which AWS reserves",
            lifted_by="adopt",
        ),
        # -an ends the names of an account's own regional namespace: there may be one, and this makes none.
        NameRule(
            r".*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3|-an)$",
            "must not end in -s3alias, --ol-s3, .mrap, --x-s3, --table-s3 or -an, which AWS reserves",
            lifted_by="adopt",
        ),
    ),
    # https://docs.aws.amazon.com/IAM/latest/APIReference/API_Tag.html
    tags=TagRule(
        r"(?i)(?!aws:)[\w .:/=+@-]{1,128}",
        r"(?i)(?!aws:)[\w .:/=+@-]{1,256}",
        "letters, digits, spaces and _.:/=+-@, 128 of them in a key and 256 in a value at most, not after aws:",
    ),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    identity_length=64,
    random_suffix=RANDOM_SUFFIX,
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html (eventual consistency)
    settles_within=30,
    has_aws_iam=True,
    rclone_provider="AWS",
    hosts=(".amazonaws.com", ".amazonaws.com.cn"),
    explanations=(
        Explanation(r"BucketAlreadyOwnedByYou", ADOPT_BUCKET),
        Explanation(r"BucketAlreadyExists\b", NAME_TAKEN),
        Explanation(r"BucketNotEmpty", NOT_EMPTY),
        Explanation(r"AccessKeysPerUser", _TWO_KEYS),
        Explanation(r"EntityAlreadyExists", SAME_IDENTITY),
        Explanation(r"NoSuchBucket|NoSuchEntity", DELETED),
        Explanation(r"LimitExceeded|TooManyBuckets", QUOTA),
        Explanation(r"ExpiredToken|token.*expired|RequestExpired", EXPIRED),
        Explanation(r"AccessDenied|UnauthorizedOperation|not authorized", f"{DEPLOYER} (`{COMMAND} deployer`)"),
        Explanation(r"IllegalLocationConstraint|AuthorizationHeaderMalformed|PermanentRedirect", _REGION),
    ),
)
