"""What a job's token may do. Only `id-token: write` gives a job the variables to ask for an OIDC token with.

Naming one permission sets all others to none; a called workflow may ask for no more than its caller has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backup_action.sandbox.action_file import ActionFileError, mapping
from backup_action.sandbox.expression_values import text

Permissions = Mapping[str, str]

LEVELS = ("none", "read", "write")
SCOPES = (
    *("actions", "artifact-metadata", "attestations", "checks", "contents", "deployments", "discussions", "id-token"),
    *("issues", "models", "packages", "pages", "pull-requests", "security-events", "statuses"),
)
DEFAULT: Permissions = {"contents": "read", "packages": "read"}  # of a repository whose owner changed nothing


def permissions(content: Any) -> Permissions | None:
    """Permissions as written; None where nothing is. Raises ActionFileError for a scope or level that is unknown."""
    if content is None:
        return None
    if content in ("read-all", "write-all"):
        level = content.removesuffix("-all")
        return {scope: level for scope in SCOPES if scope != "id-token" or level == "write"}
    known = {name: text(level) for name, level in mapping(content, "permissions").items()}
    for name, level in known.items():
        if name not in SCOPES or level not in LEVELS or (name, level) == ("id-token", "read"):
            raise ActionFileError(f"permissions: '{name}: {level}' is not a permission")
    return known


def excess(asked: Permissions, allowed: Permissions) -> str:
    """The first permission that goes beyond what is allowed, in GitHub's words; empty if none does."""
    for name, level in asked.items():
        limit = allowed.get(name, "none")
        if LEVELS.index(level) > LEVELS.index(limit):
            return f"The workflow is requesting '{name}: {level}', but is only allowed '{name}: {limit}'."
    return ""


def grants_oidc(given: Permissions) -> bool:
    """Whether the job may ask for an OIDC token."""
    return given.get("id-token") == "write"
