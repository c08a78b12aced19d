"""Sentences about the vault layout: its passphrase, its keys, its index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

TEXTS: Final[Mapping[str, Both]] = {
    Kind.INDEX_DAMAGED.value: Both(
        zh=Text(
            "索引损坏",
            "索引 {where} 损坏或被改动⟨：{reason}⟩。",
            "如果存储空间开启了版本控制，请恢复它的上一个版本。否则请把 `.oss-backup/index/` 下的这个对象移到别处（不要"
            "删除），下次备份会重新上传只有它记录的内容；然后用 `command: verify` 查看哪些快照受影响。",
        ),
        en=Text(
            "Damaged index",
            "The index {where} is damaged or was altered⟨: {reason}⟩.",
            "In a bucket with versioning, bring its previous version back. Else move that object away from "
            "`.oss-backup/index/` (keep it): the next backup sends again what only it told of; then let "
            "`command: verify` say which snapshots are concerned.",
        ),
    ),
    Kind.PASSPHRASE_MISSING.value: Both(
        zh=Text(
            "需要口令",
            "这里的内容是加密的，而没有给出口令。",
            "请通过设置 `passphrase` 给出首次备份时使用的口令，例如 `passphrase: ${{ secrets.BACKUP_PASSPHRASE }}`。",
        ),
        en=Text(
            "A passphrase is needed",
            "What is here is encrypted, and no passphrase was given.",
            "Give the one of the first backup by the setting `passphrase`, such as "
            "`passphrase: ${{ secrets.BACKUP_PASSPHRASE }}`.",
        ),
    ),
    Kind.PASSPHRASE_WRONG.value: Both(
        zh=Text(
            "口令不正确",
            "给出的口令打不开密钥 {where}。",
            "请使用首次备份时的口令；没有它，任何人都无法读取这些内容。没有写入任何内容。",
        ),
        en=Text(
            "Wrong passphrase",
            "The passphrase does not open the key {where}.",
            "Give the one of the first backup; without it nobody can read what is here. Nothing was written.",
        ),
    ),
    Kind.PASSPHRASE_LATE.value: Both(
        zh=Text(
            "已有未加密的内容",
            "前缀 {where} 下已有未加密的备份，不能从中途开始加密。",
            "请为加密的备份另选一个 `prefix`，或去掉 `passphrase`。没有写入任何内容。",
        ),
        en=Text(
            "Begun without encryption",
            "Below the prefix {where} there are backups without encryption, and it cannot begin half-way.",
            "Choose another `prefix` for the encrypted backup, or leave `passphrase` out. Nothing was written.",
        ),
    ),
    Kind.PASSPHRASE_KEY.value: Both(
        zh=Text(
            "密钥对象损坏",
            "密钥对象 {where} 损坏或格式未知⟨：{reason}⟩。",
            "没有写入任何内容。如果存储空间开启了版本控制，请恢复它的上一个版本；如果它由更新的版本写成，请升级 "
            "`uses:` 的版本。",
        ),
        en=Text(
            "Damaged key",
            "The key's object {where} is damaged or of an unknown format⟨: {reason}⟩.",
            "Nothing was written. In a bucket with versioning, bring its previous version back; if a newer version "
            "wrote it, raise the version after `uses:`.",
        ),
    ),
}
