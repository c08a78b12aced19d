"""The rights that each verb needs, and the session policy that narrows a run to them.

`P` is the bucket and prefix, `C` is `P/.oss-backup`. The published policies grant the same.

| verb | on objects | on the bucket |
|---|---|---|
| backup, tree | PutObject, GetObject, ListParts, AbortMultipartUpload on P | ListObjects under P |

Where KMS encrypts, by the setting or by the bucket's own default, OSS asks KMS in the session's name: the policy leaves
`GenerateDataKey` and `Decrypt` to the role.

What a session may do is what the role and this policy both allow, so a wide role is no danger to other prefixes.
With an empty prefix there is nothing to narrow to but the bucket.
"""

from __future__ import annotations

import json
from typing import Final

_OBJECTS: Final = {
    "backup": ("oss:PutObject", "oss:GetObject", "oss:ListParts", "oss:AbortMultipartUpload"),
}


def policy(verb: str, bucket: str, prefix: str) -> str:
    """The session policy for a verb, as JSON; `prefix` is "" or ends in `/`. Built from checked names only.

    Prefixes are short enough (`address.PREFIX_MAX`) that it is always under the 2,048 characters STS takes.
    """
    under = {"Condition": {"StringLike": {"oss:Prefix": [f"{prefix}*"]}}} if prefix else {}
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": list(_OBJECTS[verb]), "Resource": [f"acs:oss:*:*:{bucket}/{prefix}*"]},
        {"Effect": "Allow", "Action": ["oss:ListObjects"], "Resource": [f"acs:oss:*:*:{bucket}"], **under},
        {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": ["acs:kms:*:*:*"]},
    ]
    return json.dumps({"Version": "1", "Statement": statements}, ensure_ascii=False, separators=(",", ":"))
