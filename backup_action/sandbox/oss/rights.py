"""What each operation needs: RAM actions, resources and conditions, asked of the evaluator that the server was given.

The actions are those of OSS's pages on each API and of "OSS authorization syntax and elements". `oss:Prefix` and
`oss:Delimiter` are given for ListObjects only, since the documentation names no other operation for them.
What KMS refuses: the FAQ on status 403 ("forbidden by kms", whatever the reason), and EC 0005-00000208 for a key that
KMS does not have; the rest of that answer's wording is ours.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..world import ACCOUNT
from .call import Call
from .failure import Failure, invalid_argument
from .objects import Bucket, Traits

_BY_ACL = "You have no right to access this object because of bucket acl."
_BY_KMS = "This request is forbidden by kms"
_NO_CONDITIONS: Mapping[str, str] = {}
_KMS_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")


def on_object(
    call: Call, action: str, *, key: str | None = None, bucket: str = "", version: bool | None = None
) -> None:
    """Requires an object action, on the addressed object or another. With `version` the action is the one for versions.

    `version` None means: if the request has a `versionId`. Raises Failure (403 AccessDenied).
    """
    versioned = "versionId" in call.params if version is None else version
    name = bucket or call.address.bucket
    target = call.object_key if key is None else key
    _require(call, _for_version(action) if versioned else action, f"{name}/{target}")


def on_bucket(call: Call, action: str, conditions: Mapping[str, str] = _NO_CONDITIONS) -> None:
    """Requires a bucket action on the addressed bucket."""
    _require(call, action, call.address.bucket, conditions)


def on_service(call: Call, action: str) -> None:
    """Requires an action of the account."""
    _require(call, action, "*")


def to_encrypt(call: Call, bucket: Bucket, traits: Traits) -> None:
    """Requires the KMS rights that writing an object needs, if KMS encrypts it."""
    if traits.encryption == "KMS":
        _require_key(call, traits.encryption_key)
        for action in _KMS_ACTIONS:
            _require_kms(call, action, bucket, traits.encryption_key)


def to_decrypt(call: Call, bucket: Bucket, traits: Traits) -> None:
    """Requires the KMS right that reading an object needs, if KMS encrypts it."""
    if traits.encryption == "KMS":
        _require_key(call, traits.encryption_key)
        _require_kms(call, "kms:Decrypt", bucket, traits.encryption_key)


def _for_version(action: str) -> str:
    """`oss:GetObject` → `oss:GetObjectVersion`, `oss:GetObjectTagging` → `oss:GetObjectVersionTagging`."""
    return action.replace("Object", "ObjectVersion", 1)


def _require(call: Call, action: str, resource: str, conditions: Mapping[str, str] = _NO_CONDITIONS) -> None:
    if not call.allowed(call.key, action, f"acs:oss:*:{ACCOUNT}:{resource}", conditions):
        raise _denied(call, action)


def _require_kms(call: Call, action: str, bucket: Bucket, key_id: str) -> None:
    resource = f"acs:kms:{bucket.facts.region}:{ACCOUNT}:key/{key_id or 'alias/acs/oss'}"
    if not call.allowed(call.key, action, resource, _NO_CONDITIONS):
        raise _denied(call, action, _BY_KMS)


def _require_key(call: Call, key_id: str) -> None:
    state = call.world.knobs.kms_keys.get(key_id)
    if state == "absent":
        name = "x-oss-server-side-encryption-key-id"
        raise invalid_argument("The CMK id is invalid.", name, key_id, ec="0005-00000208")
    if state == "disabled":
        raise Failure(403, "AccessDenied", _BY_KMS)


def _denied(call: Call, action: str, message: str = _BY_ACL) -> Failure:
    detail = {
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "AuthPrincipalOwnerId": ACCOUNT,
        "AuthPrincipalType": "AssumedRoleUser" if call.key.token else "SubUser",
        "AuthPrincipalDisplayName": call.key.principal.rpartition(":")[2],
        "NoPermissionType": "ImplicitDeny",
        "AuthAction": action,
    }
    return Failure(403, "AccessDenied", message, "0003-00000001", {"AccessDeniedDetail": detail})
