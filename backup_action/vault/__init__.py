"""What we keep in the bucket, and where.

| object | is |
|---|---|
| `<prefix>/<key of the path>` | layout tree: each file, an ordinary object under its own path |
| `<prefix>/.oss-backup/snapshots/<id>.jsonl.zst` | one per run, written last |
| `<prefix>/.oss-backup/snapshots/<…>.lease` | for each snapshot that a run went on from: who is writing, see `lease` |
| `<prefix>/.oss-backup/tombstones/<id>.json` | what prune marked or removed, beside its list; see `tombstones` |
| `<prefix>/.oss-backup/tombstones/packs-<id>.json` | packs and indexes that prune marked or removed, see `marks` |
| `<prefix>/.oss-backup/history/<2 hex>/<sha256>` | layout tree: what runs replaced or removed, see `history` |
| `<prefix>/.oss-backup/packs/<2 hex>/<sha256>` | layout vault: chunks, compressed; see `packs` and `core/pack.py` |
| `<prefix>/.oss-backup/index/<snapshot id>-<n>` | layout vault: which chunk is in which pack; see `packs` |
| `<prefix>/.oss-backup/keys/<id>.json` | an encrypted vault: a key, sealed by the passphrase; see `keys` |
| `<prefix>/.oss-backup/restore.py` | a vault that is not encrypted: what restores it, see `script` |
| `<prefix>/.oss-backup/alarms/<snapshot id>.json` | what a run raised, until `…ack.json` beside it; see `alarms` |
| `<prefix>/.oss-backup/shards/<source>/<group>/<…>` | what the shards of one run hand on to its merge, see `shards` |
| `<prefix>/.oss-backup/shards/<source>.uploads/<n>-of-<t>.json` | uploads that a shard left open, see `uploads` |
| `<prefix>/.oss-backup/ledger/<id>.json` | how a run ended, see `ledger` |

Where the content of a file of the layout tree is: by its version id, where it has one that is not `null`; else under
its key, while the ETag there is the snapshot's; else in `history/`, by its SHA-256. In a vault the indexes say in which
packs its chunks are.

Law 1: what a snapshot names is in the bucket, whole, and stays there. Law 2: so content is written before the snapshot
that names it, and what would be overwritten or removed is kept first. Law 6: objects that no snapshot of ours named
are counted and never touched.
"""

from backup_action.vault.catalogue import Catalogue, Vault
from backup_action.vault.history import History
from backup_action.vault.lease import Lease

__all__ = ["Catalogue", "History", "Lease", "Vault"]
