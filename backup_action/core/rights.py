"""The rights that each verb needs, and the session policy that narrows a run to them.

`P` is the bucket and prefix, `C` is `P/.oss-backup`. The published policies grant the same.

| verb | on objects | on the bucket |
|---|---|---|
| backup, tree | PutObject, GetObject, ListParts, AbortMultipartUpload on P | ListObjects under P |
| … with `delete` | DeleteObject on P | |
| … with `tags` | PutObjectTagging on P | |
| restore | GetObject, GetObjectVersion on P | ListObjects under P |
| restore, verify, drill, prune | PutObject on `C/ledger` only | |

What a session may do is what the role and this policy both allow, so a wide role is no danger to other prefixes.
With an empty prefix there is nothing to narrow to but the bucket. A bucket may encrypt by KMS whatever the settings
say, so using keys is never taken from the session: the role alone decides (`kms:GenerateDataKey`, `kms:Decrypt`).
"""

from __future__ import annotations

import json
from typing import Final

from backup_action.core.address import CATALOGUE
from backup_action.core.ledger import VERBS

_OBJECTS: Final = {
    "backup": ("oss:PutObject", "oss:GetObject", "oss:ListParts", "oss:AbortMultipartUpload"),
    "restore": ("oss:GetObject", "oss:GetObjectVersion", "oss:RestoreObject"),
    "snapshots": ("oss:GetObject",),
    "verify": ("oss:GetObject", "oss:GetObjectVersion"),
    "drill": ("oss:GetObject", "oss:GetObjectVersion"),
    "prune": ("oss:GetObject", "oss:GetObjectVersion", "oss:DeleteObject", "oss:DeleteObjectVersion"),
}
_SPELLED: Final = 160  # characters of a prefix that the right to record a run spells out
_KEYS: Final[dict[str, object]] = {
    "Effect": "Allow",
    "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
    "Resource": ["*"],
}


def _recording(bucket: str, prefix: str) -> dict[str, object]:
    """The right to write how a run ended, and nothing else.

    A third copy of the longest prefix would not fit, so of a long one the beginning has to do: then what the role may
    write is narrowed to the ledgers of all prefixes that begin so.
    """
    below = prefix if len(prefix) <= _SPELLED else f"{prefix[:_SPELLED]}*/"
    return {
        "Effect": "Allow",
        "Action": ["oss:PutObject"],
        "Resource": [f"acs:oss:*:*:{bucket}/{below}{CATALOGUE}/ledger/*"],
    }


def policy(verb: str, bucket: str, prefix: str, *, delete: bool = False, tags: bool = False) -> str:
    """The session policy for a verb, as JSON; `prefix` is "" or ends in `/`. Built from checked names only.

    Prefixes are short enough (`address.PREFIX_MAX`) that it is always under the 2,048 characters STS takes.
    """
    under = {"Condition": {"StringLike": {"oss:Prefix": [f"{prefix}*"]}}} if prefix else {}
    actions = [*_OBJECTS[verb], *["oss:DeleteObject"] * delete, *["oss:PutObjectTagging"] * tags]
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": actions, "Resource": [f"acs:oss:*:*:{bucket}/{prefix}*"]},
        *([] if "oss:PutObject" in actions or verb not in VERBS else [_recording(bucket, prefix)]),
        {"Effect": "Allow", "Action": ["oss:ListObjects"], "Resource": [f"acs:oss:*:*:{bucket}"], **under},
        _KEYS,
    ]
    return json.dumps({"Version": "1", "Statement": statements}, ensure_ascii=False, separators=(",", ":"))
