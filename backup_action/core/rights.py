"""The rights that each verb needs, and the session policy that narrows a run to them.

`P` is the bucket and prefix, `C` is `P/.oss-backup`. The published policies grant the same.

| verb | on objects | on the bucket |
|---|---|---|
| backup, tree | PutObject, GetObject, ListParts, AbortMultipartUpload on P | ListObjects under P |
| … with `delete` | DeleteObject on P | |
| … with `tags` | PutObjectTagging on P | |
| backup, vault | PutObject, ListParts, AbortMultipartUpload on C; GetObject on C but for packs | ListObjects under C |
| merge, tree | GetObject, GetObjectVersion on P | ListObjects under P |
| … with `delete` | PutObject on C's history; DeleteObject on P | |
| merge, vault | GetObject on C but for packs | ListObjects under C |
| merge | PutObject on C's snapshots, alarms and ledger; DeleteObject on its shards | |
| restore | GetObject, GetObjectVersion, RestoreObject, RestoreObjectVersion on P | ListObjects under P |
| verify, drill | GetObject, GetObjectVersion on P | ListObjects under P |
| restore, verify, drill | PutObject on C/ledger only | |
| snapshots | GetObject on P | ListObjects under P |
| prune, tree | GetObject on C | ListObjects under C, ListObjectVersions |
| … that is applied | PutObject on C's tombstones, alarms and ledger; | |
| | DeleteObject on its tombstones, snapshots and history; | |
| | DeleteObjectVersion on P | |
| prune, vault | GetObject on C | ListObjects under C |
| … that is applied | PutObject on C's tombstones, alarms, ledger, packs and index; | |
| | DeleteObject on its tombstones, snapshots, packs and index | |

A copy on the server (tree) needs GetObject on what is copied and PutObject on the copy, which a backup has. It has no
right to old versions, so there a copy of what was replaced since is not made.

ListObjectVersions is asked for without a prefix: OSS's documentation names that condition for ListObjects only.

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
    "restore": ("oss:GetObject", "oss:GetObjectVersion", "oss:RestoreObject", "oss:RestoreObjectVersion"),
    "snapshots": ("oss:GetObject",),
    "verify": ("oss:GetObject", "oss:GetObjectVersion"),
    "drill": ("oss:GetObject", "oss:GetObjectVersion"),
}
POLICY_MAX: Final = 2048  # characters that STS takes
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


_VAULT: Final = ("oss:PutObject", "oss:ListParts", "oss:AbortMultipartUpload")  # of its writer, besides
_READ: Final = (
    "snapshots",
    "index",
    "keys",
    "ledger",
    "tombstones",
)  # folders that it reads: what is packed it need not


def policy(
    verb: str, bucket: str, prefix: str, *, layout: str = "tree", delete: bool = False, tags: bool = False
) -> str:
    """The session policy for a verb, as JSON; `prefix` is "" or ends in `/`. Built from checked names only.

    `delete` for a backup that removes what is gone, and for a prune that is applied.
    Prefixes are short enough (`address.PREFIX_MAX`) that it is always under `POLICY_MAX`.
    """
    if verb == "backup" and layout == "vault":
        return _writer(bucket, f"{prefix}{CATALOGUE}/", tags=tags)
    if verb == "merge":
        narrow = _document(_merging(bucket, prefix, layout, delete=delete))
        return narrow if len(narrow) <= POLICY_MAX else _document(_merging_below(bucket, prefix, layout, delete=delete))
    if verb == "prune":
        narrow = _document(_pruning(bucket, prefix, layout, delete=delete))
        return narrow if len(narrow) <= POLICY_MAX else _document(_pruning_below(bucket, prefix, layout))
    under = {"Condition": {"StringLike": {"oss:Prefix": [f"{prefix}*"]}}} if prefix else {}
    actions = [*_OBJECTS[verb], *["oss:DeleteObject"] * delete, *["oss:PutObjectTagging"] * tags]
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": actions, "Resource": [f"acs:oss:*:*:{bucket}/{prefix}*"]},
        *([] if "oss:PutObject" in actions or verb not in VERBS else [_recording(bucket, prefix)]),
        {"Effect": "Allow", "Action": ["oss:ListObjects"], "Resource": [f"acs:oss:*:*:{bucket}"], **under},
        _KEYS,
    ]
    return _document(statements)


def _writer(bucket: str, catalogue: str, *, tags: bool) -> str:
    """For who writes a vault: nothing is deleted, nor what is packed read, unless the prefix is too long to say so."""
    at = f"acs:oss:*:*:{bucket}"
    write = [*_VAULT, *["oss:PutObjectTagging"] * tags]
    under = {"Condition": {"StringLike": {"oss:Prefix": [f"{catalogue}*"]}}}
    lists: dict[str, object] = {"Effect": "Allow", "Action": ["oss:ListObjects"], "Resource": [at], **under}
    whole, read = [f"{at}/{catalogue}*"], [f"{at}/{catalogue}{folder}/*" for folder in _READ]
    puts: dict[str, object] = {"Effect": "Allow", "Action": write, "Resource": whole}
    gets: dict[str, object] = {"Effect": "Allow", "Action": ["oss:GetObject"], "Resource": read}
    told = _document([puts, gets, lists, _KEYS])
    return told if len(told) <= POLICY_MAX else _document([puts | {"Action": [*write, "oss:GetObject"]}, lists, _KEYS])


def _merging(bucket: str, prefix: str, layout: str, *, delete: bool) -> list[dict[str, object]]:
    """A merge writes a snapshot, and what stands beside it; of the rest it removes only what shards left.

    `restore.py` is what the first snapshot of a vault comes with.
    """
    is_tree = layout == "tree"
    below = prefix if is_tree else f"{prefix}{CATALOGUE}/"
    at = f"acs:oss:*:*:{bucket}/{prefix}{CATALOGUE}/"
    read = ("snapshots", "shards", "index", "keys", "ledger")
    puts = ("snapshots/*", "alarms/*", "ledger/*", *(["history/*"] if delete and is_tree else []))
    gets = [f"acs:oss:*:*:{bucket}/{below}*"] if is_tree else [f"{at}{name}/*" for name in read]
    listed = {"Condition": {"StringLike": {"oss:Prefix": [f"{below}*"]}}} if below else {}
    return [
        _allow(["oss:GetObject", *["oss:GetObjectVersion"] * is_tree], *gets),
        _allow(["oss:PutObject"], *(f"{at}{name}" for name in (*puts, *["restore.py"] * (not is_tree)))),
        _allow(["oss:DeleteObject"], f"acs:oss:*:*:{bucket}/{prefix}*" if delete and is_tree else f"{at}shards/*"),
        _allow(["oss:ListObjects"], f"acs:oss:*:*:{bucket}") | listed,
        _KEYS,
    ]


def _merging_below(bucket: str, prefix: str, layout: str, *, delete: bool) -> list[dict[str, object]]:
    """The same for a prefix so long that STS would not take that."""
    is_tree = layout == "tree"
    at = f"acs:oss:*:*:{bucket}/{prefix}"
    below = at + "*" if is_tree else f"{at}{CATALOGUE}/*"
    deletes = below if delete and is_tree else f"{at}{CATALOGUE}/shards/*"
    return [
        _allow(["oss:GetObject", "oss:PutObject", *["oss:GetObjectVersion"] * is_tree], below),
        _allow(["oss:DeleteObject"], deletes),
        _allow(["oss:ListObjects"], f"acs:oss:*:*:{bucket}"),
        _KEYS,
    ]


def _pruning(bucket: str, prefix: str, layout: str, *, delete: bool) -> list[dict[str, object]]:
    """Prune reads the catalogue only, and never deletes an object under its own key: old versions, and what is ours.

    In a vault it deletes no version at all: on a versioned bucket all that it removes can be had again.
    """
    at, is_tree = f"acs:oss:*:*:{bucket}/{prefix}{CATALOGUE}/", layout == "tree"
    listed = {"Condition": {"StringLike": {"oss:Prefix": [f"{prefix}{CATALOGUE}/*"]}}}
    content = ("history",) if is_tree else ("packs", "index")
    puts = ("tombstones", "alarms", "ledger", *(() if is_tree else content))
    removing = [
        _allow(["oss:PutObject"], *(f"{at}{name}/*" for name in puts)),
        _allow(["oss:DeleteObject"], *(f"{at}{name}/*" for name in ("snapshots", *content, "tombstones"))),
        *[_allow(["oss:DeleteObjectVersion"], f"acs:oss:*:*:{bucket}/{prefix}*")] * is_tree,
    ]
    return [
        _allow(["oss:GetObject"], f"{at}*"),
        _allow(["oss:ListObjects"], f"acs:oss:*:*:{bucket}") | listed,
        *[_allow(["oss:ListObjectVersions"], f"acs:oss:*:*:{bucket}")] * is_tree,
        *removing * delete,
        _KEYS,
    ]


def _pruning_below(bucket: str, prefix: str, layout: str) -> list[dict[str, object]]:
    """The same for a prefix so long that STS would not take that: listing is narrowed to the bucket only."""
    is_tree = layout == "tree"
    return [
        _allow(["oss:GetObject", "oss:PutObject", "oss:DeleteObject"], f"acs:oss:*:*:{bucket}/{prefix}{CATALOGUE}/*"),
        *[_allow(["oss:DeleteObjectVersion"], f"acs:oss:*:*:{bucket}/{prefix}*")] * is_tree,
        _allow(["oss:ListObjects", *["oss:ListObjectVersions"] * is_tree], f"acs:oss:*:*:{bucket}"),
        _KEYS,
    ]


def _allow(actions: list[str], *resources: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def _document(statements: list[dict[str, object]]) -> str:
    return json.dumps({"Version": "1", "Statement": statements}, ensure_ascii=False, separators=(",", ":"))
