"""The rights that each verb needs, and the session policy that narrows a run to them.

`P` is the bucket and prefix, `C` is `P/.oss-backup`. The published policies grant the same.

| verb | on objects | on the bucket |
|---|---|---|
| backup, tree | PutObject, GetObject, ListParts, AbortMultipartUpload on P | ListObjects under P |
| … with `delete` | DeleteObject on P | |
| … with `tags` | PutObjectTagging on P | |
| restore | GetObject, GetObjectVersion, RestoreObject, RestoreObjectVersion on P | ListObjects under P |

What a session may do is what the role and this policy both allow, so a wide role is no danger to other prefixes.
With an empty prefix there is nothing to narrow to but the bucket. A bucket may encrypt by KMS whatever the settings
say, so using keys is never taken from the session: the role alone decides (`kms:GenerateDataKey`, `kms:Decrypt`).
"""

from __future__ import annotations

import json
from typing import Final

_OBJECTS: Final = {
    "backup": ("oss:PutObject", "oss:GetObject", "oss:ListParts", "oss:AbortMultipartUpload"),
    "restore": ("oss:GetObject", "oss:GetObjectVersion", "oss:RestoreObject", "oss:RestoreObjectVersion"),
    "snapshots": ("oss:GetObject",),
    "verify": ("oss:GetObject", "oss:GetObjectVersion"),
    "drill": ("oss:GetObject", "oss:GetObjectVersion"),
    "prune": ("oss:GetObject", "oss:GetObjectVersion", "oss:DeleteObject", "oss:DeleteObjectVersion"),
}
_KEYS: Final[dict[str, object]] = {
    "Effect": "Allow",
    "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
    "Resource": ["*"],
}


def policy(verb: str, bucket: str, prefix: str, *, delete: bool = False, tags: bool = False) -> str:
    """The session policy for a verb, as JSON; `prefix` is "" or ends in `/`. Built from checked names only.

    Prefixes are short enough (`address.PREFIX_MAX`) that it is always under the 2,048 characters STS takes.
    """
    under = {"Condition": {"StringLike": {"oss:Prefix": [f"{prefix}*"]}}} if prefix else {}
    actions = [*_OBJECTS[verb], *["oss:DeleteObject"] * delete, *["oss:PutObjectTagging"] * tags]
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": actions, "Resource": [f"acs:oss:*:*:{bucket}/{prefix}*"]},
        {"Effect": "Allow", "Action": ["oss:ListObjects"], "Resource": [f"acs:oss:*:*:{bucket}"], **under},
        _KEYS,
    ]
    return json.dumps({"Version": "1", "Statement": statements}, ensure_ascii=False, separators=(",", ":"))
