"""Sentences about what the user wrote: settings, the configuration file, the command line; and about ourselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

TEXTS: Final[Mapping[str, Both]] = {
    Kind.BUG.value: Both(
        zh=Text(
            "程序错误",
            "程序内部出错：{where}⟨（{reason}）⟩。",
            "这是程序自身的缺陷，不是您的设置问题。请在本项目的 Issues 中反馈，并附上运行日志和报告文件；"
            "已提交的快照不受影响。",
        ),
        en=Text(
            "Error in the program",
            "The program failed in a way that it should not: {where}⟨ ({reason})⟩.",
            "This is a defect of the program, not of your settings. Please open an issue in this project with the "
            "log and the report file; snapshots that were committed before are not affected.",
        ),
    ),
    Kind.INTERRUPTED.value: Both(
        zh=Text(
            "运行被中断",
            "运行被中断⟨（信号 {signal}）⟩。",
            "快照要么完整提交，要么不提交，之前的快照不受影响；已上传的文件下次会直接沿用，重新运行即可。"
            "如果是超时造成的，请调大作业的 `timeout-minutes`。",
        ),
        en=Text(
            "Interrupted",
            "The run was interrupted⟨ (signal {signal})⟩.",
            "A snapshot is committed whole or not at all, and earlier ones are not affected; files that were sent "
            "are taken over by the next run, so just run it again. If the time ran out, raise the job's "
            "`timeout-minutes`.",
        ),
    ),
    f"{Kind.INTERRUPTED.value}#reading": Both(
        zh=Text(
            "运行被中断",
            "运行被中断⟨（信号 {signal}）⟩。",
            "快照没有任何改动，已完成的部分保留；重新运行即可。如果是超时造成的，请调大作业的 `timeout-minutes`。",
        ),
        en=Text(
            "Interrupted",
            "The run was interrupted⟨ (signal {signal})⟩.",
            "No snapshot was changed, and what was done by then stays; just run it again. If a job's time ran out, "
            "raise its `timeout-minutes`.",
        ),
    ),
    Kind.SETTING_MISSING.value: Both(
        zh=Text(
            "缺少设置",
            "缺少必填的设置 {setting}。",
            "请在工作流的 `with:` 中填写 {setting}⟨；命令行中是 {flag}⟩⟨，环境变量是 {variable}⟩。⟨要求：{rule}。⟩",
        ),
        en=Text(
            "Missing setting",
            "The setting {setting} is required and was not given.",
            "Give {setting} under `with:` in the workflow⟨; on the command line it is {flag}⟩⟨, in the environment "
            "{variable}⟩.⟨ It has to be: {rule}.⟩",
        ),
    ),
    "setting.missing#environment": Both(
        zh=Text(
            "缺少环境变量",
            "设置 `allow-static-keys` 已打开，但环境变量 {setting} 没有值。",
            "请在步骤的 `env:` 中由 Secret 给出它；更好的做法是去掉 `allow-static-keys`，改用 `role-to-assume` 和 "
            "`oidc-provider-arn`，不必保存静态密钥（AccessKey）。",
        ),
        en=Text(
            "Missing environment variable",
            "The setting `allow-static-keys` is on, but the environment variable {setting} is empty.",
            "Give it under the step's `env:` from a secret; or better, take `allow-static-keys` out and use "
            "`role-to-assume` and `oidc-provider-arn`, which need no stored key.",
        ),
    ),
    Kind.SETTING_MALFORMED.value: Both(
        zh=Text(
            "设置的值无效",
            "设置 {setting} 的值无效⟨：{given}⟩⟨（来自 {place}）⟩。",
            "⟨是否想写 {nearest}？⟩⟨要求：{rule}。⟩请改正 {setting} 后重新运行。",
        ),
        en=Text(
            "Setting with a wrong value",
            "The value of the setting {setting} is not valid⟨: {given}⟩⟨ (from {place})⟩.",
            "⟨Did you mean {nearest}? ⟩⟨It has to be: {rule}. ⟩Correct {setting} and run again.",
        ),
    ),
    Kind.SETTING_UNKNOWN.value: Both(
        zh=Text(
            "未知的设置",
            "没有名为 {setting} 的设置⟨（来自 {place}）⟩。",
            "⟨是否想写 {nearest}？⟩请改正名称或删除这一项；全部设置见 `action.yml` 或 `oss-backup --help`。",
        ),
        en=Text(
            "Unknown setting",
            "There is no setting called {setting}⟨ (from {place})⟩.",
            "⟨Did you mean {nearest}? ⟩Correct the name or take it out; `action.yml` and `oss-backup --help` list "
            "them all.",
        ),
    ),
    Kind.SETTING_MISPLACED.value: Both(
        zh=Text(
            "设置写错了地方",
            "设置 {setting} 不能写在配置文件⟨ {place}⟩ 里：读配置文件之前就需要它。",
            "请把它从配置文件中删掉，写到工作流的 `with:` 中⟨，或用环境变量 {variable} 给出⟩。",
        ),
        en=Text(
            "Setting in the wrong place",
            "The setting {setting} cannot stand in the config file⟨ {place}⟩: it is needed before that file is read.",
            "Take it out of the config file and give it under `with:` in the workflow⟨, or in the environment as "
            "{variable}⟩.",
        ),
    ),
    "setting.misplaced#table": Both(
        zh=Text(
            "设置写错了地方",
            "配置文件⟨ {place} ⟩中，设置 {setting} 写在了表⟨ {table} ⟩里，那里不会被读取。",
            '请把它移到文件开头、任何表之前，例如 `bucket = "mt5-hub-data"` 单独占一行；如果这张表是一个方案，'
            "请把表名写成 `[profiles.NAME]`。",
        ),
        en=Text(
            "Setting in the wrong place",
            "In the config file⟨ {place}⟩ the setting {setting} stands in the table⟨ {table}⟩, where it is not read.",
            'Move it to the beginning of the file, before any table: a line such as `bucket = "mt5-hub-data"`; or, if '
            "the table is meant as a profile, call it `[profiles.NAME]`.",
        ),
    ),
    Kind.SETTING_CONTRADICTION.value: Both(
        zh=Text(
            "设置互相矛盾",
            "设置 {setting}⟨（值为 {given}）⟩与其他设置不一致。",
            "⟨要求：{rule}。⟩请改正或去掉其中一项后重新运行。",
        ),
        en=Text(
            "Settings that contradict",
            "The setting {setting}⟨ (value {given})⟩ does not agree with the other settings.",
            "⟨It has to be {rule}. ⟩Correct one of them, or take one out, and run again.",
        ),
    ),
    Kind.CONFIG_UNREADABLE.value: Both(
        zh=Text(
            "配置文件无法读取",
            "无法读取配置文件 {where}⟨：{reason}⟩。",
            "请检查设置 `config` 的路径是否正确，以及运行程序的用户是否有读权限。",
        ),
        en=Text(
            "Configuration file not readable",
            "The configuration file {where} could not be read⟨: {reason}⟩.",
            "Check the path in the setting `config`, and that the user who runs the program may read it.",
        ),
    ),
    Kind.CONFIG_MALFORMED.value: Both(
        zh=Text(
            "配置文件格式错误",
            "配置文件 {where} 格式错误⟨：{reason}⟩。",
            "配置文件应为 TOML，键与 `action.yml` 的输入同名；请按提示的位置改正。",
        ),
        en=Text(
            "Malformed configuration file",
            "The configuration file {where} is malformed⟨: {reason}⟩.",
            "It has to be TOML with the names of the inputs in `action.yml` as keys; correct it at the place named.",
        ),
    ),
    Kind.PROFILE_UNKNOWN.value: Both(
        zh=Text(
            "没有这个方案",
            "配置文件⟨ {file} ⟩中没有名为 {where} 的方案。",
            "⟨文件中的方案有：{known}。⟩请改正设置 `profile`，或在配置文件中加上 `[profiles.NAME]` 表。",
        ),
        en=Text(
            "Unknown profile",
            "The configuration file⟨ {file}⟩ has no profile called {where}.",
            "⟨It has: {known}. ⟩Correct the setting `profile`, or add a table `[profiles.NAME]` to the file.",
        ),
    ),
    Kind.COMMAND_LINE.value: Both(
        zh=Text(
            "命令行有误",
            "命令行有误⟨：{where}⟩⟨（{reason}）⟩。",
            "⟨是否想写 {nearest}？⟩请用 `oss-backup --help` 或 `oss-backup backup --help` 查看可用的命令和选项。",
        ),
        en=Text(
            "Wrong command line",
            "The command line is wrong⟨: {where}⟩⟨ ({reason})⟩.",
            "⟨Did you mean {nearest}? ⟩`oss-backup --help` lists the commands, `oss-backup backup --help` the options "
            "of one.",
        ),
    ),
    "command-line#word": Both(
        zh=Text(
            "命令行多了一个词",
            "命令行中有一个词不属于任何选项。",
            "要备份的路径请用 `--path` 给出，例如 `oss-backup backup --path data`；含空格的值请加引号。"
            "全部选项见 `oss-backup --help`。",
        ),
        en=Text(
            "A word too many",
            "There is a word on the command line that belongs to no option.",
            "Give what is to be backed up by `--path`, as in `oss-backup backup --path data`, and put quotes around "
            "values with blanks. `oss-backup --help` lists the options.",
        ),
    ),
    "command-line#order": Both(
        zh=Text(
            "选项写在了命令前面",
            "选项写在了命令前面⟨（{reason}）⟩。",
            "请把命令放在最前面，选项写在它后面，例如 `oss-backup backup --bucket NAME`。",
        ),
        en=Text(
            "Option before the command",
            "An option stands before the command⟨ ({reason})⟩.",
            "Put the command first and its options behind it, as in `oss-backup backup --bucket NAME`.",
        ),
    ),
    Kind.PATHS_OVERLAP.value: Both(
        zh=Text(
            "备份路径位置冲突",
            "`paths` 中的 {where} 与 {other} 在存储空间中的位置⟨（{destination}）⟩相同或互相嵌套。",
            "请在 `paths` 中用 `SRC => DEST` 为它们指定不同的位置，或去掉其中一项。",
        ),
        en=Text(
            "Paths with one place",
            "In `paths`, {where}⟨ and {other}⟩ would go to the same place in the bucket⟨ ({destination})⟩, or one "
            "inside the other.",
            "Give each its own place with `SRC => DEST` in `paths`, or take one out.",
        ),
    ),
    Kind.SOURCES_OVERLAP.value: Both(
        zh=Text(
            "与其他来源的位置冲突",
            "路径 {where} 的位置与另一个来源⟨ {other} ⟩的位置⟨ {destination} ⟩重叠。",
            "请换一个 `prefix`，或用 `SRC => DEST` 换一个位置；如果本来就是同一个来源，请把设置 `source` 改成与之前"
            "一致。",
        ),
        en=Text(
            "Place of another source",
            "The place of the path {where} overlaps that of another source⟨, {other}⟩⟨ ({destination})⟩.",
            "Choose another `prefix`, or another place with `SRC => DEST`; if it is meant to be the same source, set "
            "`source` to the name used before.",
        ),
    ),
    f"{Kind.SOURCES_OVERLAP.value}#left": Both(
        zh=Text(
            "与其他来源的位置冲突",
            "路径 {where} 的位置⟨ {destination} ⟩里还有另一个来源⟨ {other} ⟩以前备份的对象，"
            "它的旧快照仍然需要这些对象。",
            "请换一个 `prefix`，或用 `SRC => DEST` 换一个位置。",
        ),
        en=Text(
            "Place of another source",
            "The place of the path {where}⟨ ({destination})⟩ still holds what another source⟨, {other},⟩ backed up to "
            "it, and older snapshots of that need it.",
            "Choose another `prefix`, or another place with `SRC => DEST`.",
        ),
    ),
    Kind.REPORT_UNREADABLE.value: Both(
        zh=Text(
            "报告文件无法读取",
            "无法读取报告文件 {where}⟨：{reason}⟩。",
            "请把设置 `report` 写成备份步骤的输出，例如 `${{ steps.backup.outputs.report-path }}`，"
            "并确认备份步骤有相应的 `id` 且在同一个作业中。",
        ),
        en=Text(
            "Report file not readable",
            "The report file {where} could not be read⟨: {reason}⟩.",
            "Set `report` to the output of the backup step, for example `${{ steps.backup.outputs.report-path }}`, "
            "and see that the step has that `id` and is in the same job.",
        ),
    ),
    "report.unreadable#none": Both(
        zh=Text(
            "没有报告",
            "没有可以通知的报告：备份没有启动，它的准备步骤或更早的步骤失败了。",
            "请查看失败步骤的日志，改正后重新运行。如果备份步骤其实运行过，请检查设置 `report` 中的步骤 `id` 是否写对，"
            "例如 `${{ steps.backup.outputs.report-path }}`。",
        ),
        en=Text(
            "No report",
            "There is no report to tell of: the backup did not start, because its set-up or a step before it failed.",
            "Look at the log of the step that failed, and run again. If the backup step did run, see that `report` "
            "names its `id`, for example `${{ steps.backup.outputs.report-path }}`.",
        ),
    ),
}
