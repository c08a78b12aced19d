"""Sentences and words about prune: what keeps it from removing, and what it did with each snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text, Word

TEXTS: Final[Mapping[str, Both]] = {
    Kind.SETTING_KEEP.value: Both(
        zh=Text(
            "没有保留规则",
            "没有任何 `keep-…` 设置，无法判断要保留哪些快照。",
            "请至少设置一条规则，例如 `keep-daily: 7` 和 `keep-weekly: 8`；没有规则时不会清理任何快照。",
        ),
        en=Text(
            "No keep-rule",
            "No `keep-…` setting says which snapshots to keep.",
            "Set one at least, such as `keep-daily: 7` and `keep-weekly: 8`; without a rule nothing is ever pruned.",
        ),
    ),
    Kind.PRUNE_NEWEST.value: Both(
        zh=Text(
            "规则会清理最新的快照",
            "按现在的规则，这个来源最新的快照 {where} 会被清理。",
            "没有标记或删除任何快照。请放宽保留规则，例如设置 `keep-last: 1`；并检查各主机的时钟。",
        ),
        en=Text(
            "The rules would remove the newest snapshot",
            "By these rules the newest snapshot of this source, {where}, would go.",
            "Nothing was marked or removed. Keep more, such as `keep-last: 1`, and look at the clocks of the hosts.",
        ),
    ),
    f"{Kind.PRUNE_NEWEST.value}#complete": Both(
        zh=Text(
            "规则会清理最新的完整快照",
            "按现在的规则，这个来源最新的完整快照 {where} 会被清理；比它新的快照都不完整。",
            "没有标记或删除任何快照。请先让一次备份完整成功，或放宽保留规则。",
        ),
        en=Text(
            "The rules would remove the newest complete snapshot",
            "By these rules the newest complete snapshot of this source, {where}, would go; all newer ones are "
            "incomplete.",
            "Nothing was marked or removed. See to a backup that completes first, or keep more.",
        ),
    ),
    Kind.PRUNE_MANY.value: Both(
        zh=Text(
            "一次要清理的快照过多",
            "这个来源的 {whole} 个快照中，有 {count} 个（{percent}%）要在这次运行中标记或删除，超过 `max-prune` 的 "
            "{limit}%。",
            "没有标记或删除任何快照。请检查保留规则；如果确实要清理这么多，请把 `max-prune` 设为 100 运行一次。",
        ),
        en=Text(
            "Too many snapshots at once",
            "Of this source's {whole} snapshots, this run would mark or remove {count} ({percent} %): more than the "
            "{limit} % of `max-prune`.",
            "Nothing was marked or removed. Look at the keep-rules; if they are as they should be, run once with "
            "`max-prune: 100`.",
        ),
    ),
    Kind.PRUNE_CLOCK.value: Both(
        zh=Text(
            "时钟不可信",
            "这台机器的时钟比最新的快照还早⟨ {hours} 小时⟩。",
            "没有标记或删除任何快照。请用 NTP 校准这台机器和备份主机的时钟，然后重新运行。",
        ),
        en=Text(
            "A clock that cannot be right",
            "This machine's clock is⟨ {hours} h⟩ before the newest snapshot.",
            "Nothing was marked or removed. Set the clocks of this machine and of the hosts that back up by NTP, and "
            "run again.",
        ),
    ),
    f"{Kind.PRUNE_CLOCK.value}#far": Both(
        zh=Text(
            "时钟不可信",
            "这台机器的时钟与 OSS 的相差 {hours} 小时。",
            "没有标记或删除任何快照。请用 NTP 校准时钟，然后重新运行。",
        ),
        en=Text(
            "A clock that cannot be right",
            "This machine's clock is {hours} h away from OSS's.",
            "Nothing was marked or removed. Set it by NTP, and run again.",
        ),
    ),
    Kind.PRUNE_HELD.value: Both(
        zh=Text(
            "暂时无法删除",
            "{where} 还在存储空间的保留策略（WORM）期限内，OSS 不允许删除。",
            "其余内容已处理。保留期过后，以后的清理会继续；请让保留规则不短于保留期。",
        ),
        en=Text(
            "Not to be removed yet",
            "{where} is still held by the bucket's retention policy (WORM), so OSS does not let it go.",
            "A later prune goes on when the retention is over; let the rules keep snapshots as long.",
        ),
    ),
    Kind.CONTENT_LACKING.value: Both(
        zh=Text(
            "保留的快照缺少内容",
            "保留的快照引用了 {count} 个数据块，但没有任何数据包含有它们。",
            "没有标记、重组或删除任何数据包：索引可能不完整。请运行 verify 查看哪些文件受影响，再运行一次备份"
            "以补上磁盘上仍有的内容；如果 `.oss-backup/index/` 下有文件被删除，请先恢复它。",
        ),
        en=Text(
            "Kept snapshots lack content",
            "The snapshots that stay name chunks that no pack has: {count}.",
            "No pack was marked, repacked or removed, since the indexes may not tell all. See by a verify which files "
            "it is about, and run a backup, which sends what the disk still has; where an object under "
            "`.oss-backup/index/` was deleted, bring it back first.",
        ),
    ),
    Kind.CONTENT_UNPROVEN.value: Both(
        zh=Text(
            "数据包无法重组",
            "数据包 {where} 中仍需要的内容无法读取，或与记录不符。",
            "它保持原样。请运行 verify（`read: true`）查看哪些文件受影响；如果它属于归档存储类型，请先解冻。",
        ),
        en=Text(
            "A pack that cannot be repacked",
            "What is still needed of the pack {where} cannot be read, or is not what it should be.",
            "It stays as it is. See by a verify with `read: true` which files it is about; where it is of an Archive "
            "class, it must be thawed first.",
        ),
    ),
    Kind.SNAPSHOT_FUTURE.value: Both(
        zh=Text(
            "来自未来的快照",
            "快照 {where} 的时间比 OSS 的时钟晚 25 小时以上；它被保留，但不计入任何保留规则。",
            "请检查写入它的主机的时钟；如果不是您的备份写入的，请检查谁有写入权限。",
        ),
        en=Text(
            "A snapshot from the future",
            "The snapshot {where} is dated more than 25 h after OSS's clock; it is kept, and no rule counts it.",
            "Look at the clock of the host that wrote it; if no backup of yours did, look at who may write here.",
        ),
    ),
    Kind.TOMBSTONE_DAMAGED.value: Both(
        zh=Text(
            "清理记录损坏",
            "清理记录 {where} 损坏，或由更新的版本写成⟨：{reason}⟩。",
            "没有标记或删除任何快照。请升级本程序；如果它确实损坏，请删除 `.oss-backup/tombstones/` 下的这个文件："
            "其中的标记随之取消，下次清理会重新标记。",
        ),
        en=Text(
            "Damaged tombstone",
            "The tombstone {where} is damaged, or a newer version wrote it⟨: {reason}⟩.",
            "Nothing was marked or removed. Raise the version of this program; if it is damaged, delete it under "
            "`.oss-backup/tombstones/`: its marks are lifted, and the next prune marks anew.",
        ),
    ),
}

WORDS: Final[Mapping[str, Word]] = {
    "pruned-line": Word(
        "快照：保留 {kept} 个，已标记 {marked} 个，删除 {removed} 个；释放 {size}（{objects} 个对象）。",
        "Snapshots: {kept} kept, {marked} marked, {removed} removed; {size} freed ({objects} "
        "{objects:object|objects}).",
    ),
    "to-prune-line": Word(
        "快照：将保留 {kept} 个，标记 {marked} 个，删除 {removed} 个；将释放 {size}（{objects} 个对象）。",
        "Snapshots: {kept} to keep, {marked} to be marked, {removed} to remove; {size} to be freed ({objects} "
        "{objects:object|objects}).",
    ),
    "prune-later-line": Word(
        "已标记的快照删除后，再释放 {size}（{objects} 个对象）。",
        "{size} more ({objects} {objects:object|objects}) when the marked ones are removed.",
    ),
    "prune-left-line": Word(
        "另有 {objects} 个对象暂时无法删除，以后的清理会继续。",
        "{objects} {objects:object|objects} could not be removed yet; a later prune goes on.",
    ),
    "prune-packs-line": Word(
        "数据包：保留 {kept} 个，标记 {marked} 个（其中重组 {repacked} 个），等待 {waiting} 个，删除 {removed} 个。",
        "Packs: {kept} kept, {marked} marked ({repacked} of them repacked), {waiting} waiting, {removed} removed.",
    ),
    "to-prune-packs-line": Word(
        "数据包：将保留 {kept} 个，标记 {marked} 个（其中重组 {repacked} 个），等待 {waiting} 个，删除 {removed} 个。",
        "Packs: {kept} to keep, {marked} to be marked ({repacked} of them repacked), {waiting} waiting, {removed} to "
        "remove.",
    ),
    "prune-busy-line": Word(
        "有 {busy} 个数据包因备份正在进行而等待，以后的清理会删除它们。",
        "{busy} {busy:pack waits|packs wait} for a backup that is under way; a later prune removes them.",
    ),
    "prune-packs-later-line": Word(
        "被标记的数据包删除后，再释放 {size}（{objects} 个对象）。",
        "{size} more ({objects} {objects:object|objects}) when the marked packs are removed.",
    ),
    "prune-grace-line": Word(
        "被标记的快照仍可恢复；{hours} 小时之后的清理才会删除它们。",
        "Marked snapshots can still be restored; a prune at least {hours} h later removes them.",
    ),
    "prune-apply-line": Word(
        "以上只是预览；设置 `apply: true` 才会执行。",
        "This only shows it; `apply: true` does it.",
    ),
    "prune-snapshots": Word("快照的去留", "What becomes of the snapshots"),
    "prune-fate": Word("结果", "Fate"),
    "prune-reasons": Word("原因", "Why"),
    "prune-sequence": Word("序号", "Number"),
    "fate-kept": Word("保留", "kept"),
    "fate-lifted": Word("保留（取消标记）", "kept (mark lifted)"),
    "fate-marked": Word("标记", "marked"),
    "fate-waiting": Word("已标记，等待删除", "marked before, waiting"),
    "fate-removed": Word("删除", "removed"),
    "reason-last": Word("最新的若干个", "last"),
    "reason-hourly": Word("每小时", "hourly"),
    "reason-daily": Word("每天", "daily"),
    "reason-weekly": Word("每周", "weekly"),
    "reason-monthly": Word("每月", "monthly"),
    "reason-yearly": Word("每年", "yearly"),
    "reason-within": Word("在保留时长内", "within"),
    "reason-oldest-hourly": Word("最早（每小时）", "oldest hourly"),
    "reason-oldest-daily": Word("最早（每天）", "oldest daily"),
    "reason-oldest-weekly": Word("最早（每周）", "oldest weekly"),
    "reason-oldest-monthly": Word("最早（每月）", "oldest monthly"),
    "reason-oldest-yearly": Word("最早（每年）", "oldest yearly"),
    "reason-future": Word("来自未来，不计入规则", "from the future, not counted"),
    "reason-covered": Word("同一时段已有更新的快照", "a newer one stands for its time"),
    "reason-beyond": Word("早于规则保留的范围", "older than the rules keep"),
}
