"""Who proves the files of a snapshot: in a tree the listing and their objects, in a vault indexes and packs."""

from __future__ import annotations

from collections.abc import Callable

from backup_action.core.problem import Problem
from backup_action.core.tally import Tally
from backup_action.core.verification import Findings, Share
from backup_action.transfer.proving import Proving
from backup_action.transfer.proving_packs import ProvingPacks
from backup_action.vault import Vault
from backup_action.vault.catalogue import TREE
from backup_action.vault.contents import Contents
from backup_action.vault.evidence import Evidence
from backup_action.vault.inventory import Inventory


async def prover(
    vault: Vault, marks: list[str], findings: Findings, tally: Tally, *, share: Share | None, concurrency: int,
    stopped: Callable[[], bool], tell: Callable[[Problem], None],
) -> Proving | ProvingPacks:  # fmt: skip
    """What proves files in this layout, once it knows what the bucket lists. Raises Stop.

    `marks`: keys at which a listing may be split. `tell` hears of indexes that are damaged.
    """
    if vault.layout == TREE:
        evidence = Evidence(vault)
        await evidence.gather(marks)
        return Proving(
            evidence, Contents(vault), findings, tally, share=share, concurrency=concurrency, stopped=stopped
        )
    inventory = Inventory(vault, tell)
    await inventory.gather()
    return ProvingPacks(inventory, findings, tally, share=share, concurrency=concurrency, stopped=stopped)
