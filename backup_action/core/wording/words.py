"""The fixed words of summaries, messages and consoles, in both languages. Placeholders are filled as they are.

`{files:file|files}` is the first word where the value `files` is "1", and the second with any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.wording import history, ledger, listing, pruning, verifying
from backup_action.core.wording.text import Word

COMMANDS: Final[Mapping[str, Word]] = {
    "backup": Word("备份", "Backup"),
    "merge": Word("合并分片", "Merge of shards"),
    "restore": Word("恢复", "Restore"),
    "verify": Word("校验", "Verification"),
    "drill": Word("恢复演练", "Restore drill"),
    "prune": Word("清理", "Pruning"),
    "snapshots": Word("查询快照", "Look-up of snapshots"),
    "doctor": Word("体检", "Check-up"),
    "watchdog": Word("巡检", "Watchdog"),
    "notify": Word("通知", "Notification"),
}

STATUSES: Final[Mapping[str, Word]] = {
    "ok": Word("成功", "succeeded"),
    "bug": Word("程序出错", "failed with an internal error"),
    "usage": Word("设置有误", "wrong settings"),
    "incomplete": Word("不完整", "incomplete"),
    "denied": Word("访问被拒绝", "access denied"),
    "unreachable": Word("服务无法连接", "service not reached"),
    "damaged": Word("数据缺失或被改动", "data damaged"),
    "busy": Word("与另一次运行冲突", "another run is in the way"),
    "refused": Word("保护检查未通过", "stopped by a safety check"),
    "interrupted": Word("被中断", "interrupted"),
    "alarm": Word("成功，但有警报", "succeeded, with an alarm"),
    # `notify` ends in ways of its own.
    "undelivered": Word("消息没有送达", "message not delivered"),
    "no-report": Word("没有可读的报告", "no report that can be read"),
}

VERDICTS: Final[Mapping[str, Word]] = {
    **verifying.VERDICTS,
    "ok": Word("{command}已完成，没有遗漏。", "{command} complete; nothing was skipped."),
    "alarm": Word(
        "{command}已完成，没有遗漏，但发现了异常：请立即查看下面的警报。",
        "{command} complete, and nothing was skipped; but something is wrong with the files: look at the alarm below.",
    ),
    "ok-dry": Word(
        "试运行已完成，没有写入任何内容；以下数字是正式运行时的预计结果。",
        "Dry run complete; nothing was written, and the figures are what a real run would do.",
    ),
    "ok-shard": Word(
        "这个分片已完成，没有遗漏；所有分片完成后，由 `merge` 生成快照。",
        "This shard is complete; nothing of its share was skipped. When all are, `merge` makes the snapshot.",
    ),
    "ok-notify": Word(
        "已读取报告，并按设置 `notify-on` 处理了通知。",
        "The report was read, and the group was told as the setting `notify-on` says.",
    ),
    "ok-restore": Word(
        "恢复已完成，没有遗漏；写入的每个文件都已通过 SHA-256 校验。",
        "Restore complete; nothing was skipped, and every file that was written has the SHA-256 of the snapshot.",
    ),
    "undelivered": Word(
        "已读取报告，但消息没有送达钉钉群。",
        "The report was read, but the message was not delivered to the DingTalk group.",
    ),
    "no-report": Word(
        "没有可读的报告，无法得知备份的结果。",
        "No report could be read, so how the backup ended is not known.",
    ),
    "bug": Word("程序内部出错，{command}没有完成。", "{command} not completed: an internal error."),
    "usage": Word("设置有误，{command}未执行，没有写入任何内容。", "{command} did not start, and nothing was written."),
    "incomplete": Word(
        "{command}不完整：以下各项未成功，其余均已完成。",
        "{command} incomplete: the rest is done, without the items named below.",
    ),
    "incomplete-dry": Word(
        "试运行不完整：以下各项无法检查；没有写入任何内容，数字是正式运行时的预计结果。",
        "Dry run incomplete: the items named below could not be looked at. Nothing was written, and the figures are "
        "what a real run would do.",
    ),
    "denied": Word("{command}没有完成：访问被拒绝。", "{command} not completed: access was denied."),
    "unreachable": Word(
        "{command}没有完成：多次重试后服务仍无法连接。",
        "{command} not completed: a service could not be reached after several tries.",
    ),
    "damaged": Word(
        "存储空间中的数据缺失或被改动，请尽快处理。",
        "Data in the bucket is missing or was altered; see to it soon.",
    ),
    "busy": Word(
        "{command}没有完成：同一来源的另一次运行正在进行，或抢先提交了快照。",
        "{command} not completed: another run of this source was first.",
    ),
    "refused": Word(
        "写入前的保护检查中止了{command}，没有写入任何内容。",
        "{command} stopped by a safety check before anything was written.",
    ),
    "interrupted": Word("{command}被中断，没有完成。", "{command} interrupted before it was complete."),
}

WORDS: Final[Mapping[str, Word]] = {
    **history.WORDS,
    **listing.WORDS,
    **pruning.WORDS,
    **ledger.WORDS,
    **verifying.WORDS,
    "semicolon": Word("；", "; "),
    "colon": Word("：", ": "),
    "unknown": Word("（未知）", "(unknown)"),
    "title": Word("OSS {command}：{status}", "OSS {command}: {status}"),
    "shard": Word("{command}（分片 {shard}）", "{command} (shard {shard})"),
    "no-snapshot-shard": Word("所有分片完成后由 `merge` 生成", "`merge` makes it, when all shards are done"),
    "title-warnings": Word(
        "{title}，有 {count} 条警告",
        "{title}, with {count} {count:warning|warnings}",
    ),
    "title-dry-run": Word("{title}（试运行）", "{title} (dry run)"),
    "environment": Word("环境变量", "the environment"),
    "yes": Word("是", "yes"),
    "no": Word("否", "no"),
    "none": Word("无", "none"),
    "numbers": Word("数量", "Numbers"),
    "what": Word("项目", "What"),
    "files": Word("文件数", "Files"),
    "size": Word("大小", "Size"),
    "files-total": Word("全部", "Total"),
    "files-so-far": Word("已处理", "Seen so far"),
    "files-uploaded": Word("已上传", "Uploaded"),
    "files-to-upload": Word("将上传", "To upload"),
    "files-uploaded-restore": Word("已写入", "Written"),
    "files-to-upload-restore": Word("将写入", "To write"),
    "files-copied": Word("在服务器端复制", "Copied on the server"),
    "files-to-copy": Word("将在服务器端复制", "To copy on the server"),
    "files-unchanged": Word("未变化", "Unchanged"),
    "files-removed": Word("源端已删除", "Gone from the source"),
    "files-failed": Word("失败", "Failed"),
    "folders": Word("文件夹", "Folders"),
    "links": Word("符号链接", "Symbolic links"),
    "by-path": Word("各路径", "By path"),
    "path": Word("路径", "Path"),
    "destination": Word("位置", "Place"),
    "more-paths": Word("……另有 {count} 个路径", "… and {count} more {count:path|paths}"),
    "details": Word("详情", "Details"),
    "duration": Word("用时", "Duration"),
    "snapshot": Word("快照", "Snapshot"),
    "no-snapshot-restore": Word("没有找到", "none was found"),
    "files-unchanged-restore": Word("已是快照中的内容", "There already"),
    "restored-to": Word("恢复到", "Restored to"),
    "spared": Word("目标中保留不动的文件", "Files of the target left as they are"),
    "to-remove": Word("将从目标删除的多余内容", "To remove from the target"),
    "removed-from-target": Word("从目标删除的多余内容", "Removed from the target"),
    "no-snapshot": Word("没有提交快照", "none was committed"),
    "digest": Word("快照摘要（SHA-256）", "Snapshot digest (SHA-256)"),
    "digest-short": Word("摘要", "Digest"),
    "parent": Word("上一个快照", "Parent"),
    "target": Word("存储空间", "Bucket"),
    "region": Word("（地域 {region}）", " (region {region})"),
    "prefix": Word("前缀", "Prefix"),
    "layout": Word("布局", "Layout"),
    "versioning": Word("版本控制", "Versioning"),
    "never-versioned": Word("未开启", "off"),
    "source": Word("来源", "Source"),
    "identity": Word("身份", "Identity"),
    "host": Word("主机", "Host"),
    "run": Word("运行", "Run"),
    "open-run": Word("查看运行", "Open the run"),
    "verified": Word("已校验", "Verified"),
    "verified-yes-restore": Word(
        "是：写入的每个文件都与快照的 SHA-256 一致",
        "yes: every file that was written has the SHA-256 of the snapshot",
    ),
    "verified-yes": Word(
        "是：本次上传的文件均已通过 CRC-64 校验，其余文件与存储空间列表一致",
        "yes: everything sent confirmed by CRC-64, everything else by the listing",
    ),
    "verified-yes-copied": Word(
        "是：上传的文件均已通过 CRC-64 校验，服务器端复制的文件均已通过 CRC-64 或 MD5 校验，其余文件与存储空间列表一致",
        "yes: everything sent confirmed by CRC-64, every copy by CRC-64 or MD5, everything else by the listing",
    ),
    "drift": Word("存储空间中的变动", "Drift in the bucket"),
    "drift-count": Word(
        "{missing} 个丢失，{replaced} 个被改写",
        "{missing} missing, {replaced} replaced",
    ),
    "to-delete": Word("将从存储空间删除的文件", "To remove from the bucket"),
    "deleted": Word("从存储空间删除的文件", "Removed from the bucket"),
    "foreign": Word("前缀下的其他文件", "Other objects under the prefix"),
    "foreign-count": Word("{count} 个，不属于任何快照，未改动", "{count}, named by no snapshot, not touched"),
    "requests": Word("OSS 请求数", "Requests to OSS"),
    "version": Word("程序版本", "Version of the program"),
    "problems": Word("问题与处理办法", "What went wrong, and what to do"),
    "alarm": Word("警报", "alarm"),
    "alarms": Word("警报", "Alarm"),
    "reread": Word("为检查磁盘而重读", "Read again to check the disk"),
    "reread-line": Word(
        "{count} 个未变化的文件（{size}）；每个文件最多 {runs} 次运行内重读一次",
        "{count} unchanged {count:file|files} ({size}); each file within {runs} {runs:run|runs}",
    ),
    "reread-too-large": Word(
        "；{count} 个大于 `reread-bytes` 的文件从不重读",
        "; {count} larger than `reread-bytes` never",
    ),
    "warnings": Word("警告", "Warnings"),
    "problem-heading": Word("{label}（{count}）", "{label} ({count})"),
    "advice": Word("处理：", "What to do: "),
    "paste": Word("可直接粘贴：", "Ready to paste:"),
    "more": Word("……另有 {count} 条，见报告文件", "… and {count} more, see the report file"),
    "more-short": Word("……另有 {count} 条", "… and {count} more"),
    "more-lines": Word("内容过长，其余见报告文件。", "The rest was cut off; see the report file."),
    "error": Word("错误", "error"),
    "warning": Word("警告", "warning"),
    "uploaded-line": Word(
        "已上传 {files} 个文件（{size}），未变化 {unchanged} 个，共 {total} 个（{total-size}）。",
        "{files} {files:file|files} uploaded ({size}), {unchanged} unchanged, {total} in all ({total-size}).",
    ),
    "to-upload-line": Word(
        "将上传 {files} 个文件（{size}），未变化 {unchanged} 个，共 {total} 个（{total-size}）。",
        "{files} {files:file|files} to upload ({size}), {unchanged} unchanged, {total} in all ({total-size}).",
    ),
    "uploaded-so-far-line": Word(
        "截至停止时已处理的文件中，已上传 {files} 个（{size}），未变化 {unchanged} 个。",
        "{files} {files:file|files} uploaded ({size}), {unchanged} unchanged, of those seen so far.",
    ),
    "to-upload-so-far-line": Word(
        "截至停止时已处理的文件中，将上传 {files} 个（{size}），未变化 {unchanged} 个。",
        "{files} {files:file|files} to upload ({size}), {unchanged} unchanged, of those seen so far.",
    ),
    "uploaded-line-restore": Word(
        "已写入 {files} 个文件（{size}），{unchanged} 个已是快照中的内容，共 {total} 个（{total-size}）。",
        "{files} {files:file|files} written ({size}), {unchanged} there already, {total} in all ({total-size}).",
    ),
    "to-upload-line-restore": Word(
        "将写入 {files} 个文件（{size}），{unchanged} 个已是快照中的内容，共 {total} 个（{total-size}）。",
        "{files} {files:file|files} to write ({size}), {unchanged} there already, {total} in all ({total-size}).",
    ),
    "uploaded-so-far-line-restore": Word(
        "截至停止时已处理的文件中，已写入 {files} 个（{size}），{unchanged} 个已是快照中的内容。",
        "{files} {files:file|files} written ({size}), {unchanged} there already, of those seen so far.",
    ),
    "spared-line": Word("目标中保留不动 {count} 个。", "{count} left as they are."),
    "to-remove-line": Word("将从目标删除 {count} 项。", "{count} to remove from the target."),
    "removed-from-target-line": Word("从目标删除 {count} 项。", "{count} removed from the target."),
    "report-file": Word("报告", "Report"),
    "copied-line": Word("在服务器端复制 {count} 个（{size}）。", "{count} copied on the server ({size})."),
    "to-copy-line": Word("将在服务器端复制 {count} 个（{size}）。", "{count} to copy on the server ({size})."),
    "failed-line": Word("失败 {count} 个。", "{count} failed."),
    "to-delete-line": Word("将从存储空间删除 {count} 个。", "{count} to remove from the bucket."),
    "deleted-line": Word("从存储空间删除 {count} 个。", "{count} removed from the bucket."),
    "removed-line": Word("源端已删除 {count} 个。", "{count} gone from the source."),
    "day": Word("{count} 天", "{count} d"),
    "hour": Word("{count} 小时", "{count} h"),
    "minute": Word("{count} 分", "{count} min"),
    "second": Word("{count} 秒", "{count} s"),
}
