"""Sentences about what was to be backed up: the paths, and the files in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backup_action.core.problem import Kind
from backup_action.core.wording.text import Both, Text

_SOURCES: Final[Mapping[str, Both]] = {
    Kind.SOURCE_MISSING.value: Both(
        zh=Text(
            "备份路径不存在",
            "要备份的路径 {where} 不存在。",
            "请检查 `paths` 的写法，以及之前的检出、下载或挂载步骤是否成功。为避免误删，本次没有写入任何内容。",
        ),
        en=Text(
            "Path that does not exist",
            "The path {where} that is to be backed up does not exist.",
            "Check the spelling in `paths`, and whether the checkout, download or mount before this step succeeded. "
            "Nothing was written.",
        ),
    ),
    Kind.SOURCE_EMPTY.value: Both(
        zh=Text(
            "备份路径为空",
            "要备份的路径 {where} 中没有可备份的文件。",
            "空目录往往意味着磁盘没有挂载、上一步失败，或 `exclude`、`include` 没有留下任何文件，所以本次没有写入"
            "任何内容。请确认数据就位后重新运行。",
        ),
        en=Text(
            "Path without files",
            "There is nothing to back up in the path {where}.",
            "An empty folder often means a disk that is not mounted, a step that failed, or an `exclude` or "
            "`include` that leaves nothing, so nothing was written. See that the data is there and run again.",
        ),
    ),
    Kind.SOURCE_UNREADABLE.value: Both(
        zh=Text(
            "备份路径无法读取",
            "要备份的路径 {where} 无法读取⟨：{reason}⟩。",
            "请给运行程序的用户读权限（目录还需要执行权限）后重新运行。本次没有写入任何内容。",
        ),
        en=Text(
            "Path that cannot be read",
            "The path {where} that is to be backed up cannot be read⟨: {reason}⟩.",
            "Give the user who runs the program the right to read it (for folders also to enter them) and run again. "
            "Nothing was written.",
        ),
    ),
}

_FILES: Final[Mapping[str, Both]] = {
    Kind.FILE_UNREADABLE.value: Both(
        zh=Text(
            "文件无法读取",
            "文件 {where} 无法读取⟨：{reason}⟩。",
            "本次快照没有它的新内容。请给运行程序的用户读权限，或在 `exclude` 中排除它。",
        ),
        en=Text(
            "File that cannot be read",
            "The file {where} could not be read⟨: {reason}⟩.",
            "This snapshot lacks its present content. Give the user who runs the program the right to read it, or "
            "name it in `exclude`.",
        ),
    ),
    "file.unreadable#folder": Both(
        zh=Text(
            "文件夹无法打开",
            "文件夹 {where} 无法打开⟨：{reason}⟩，其中有哪些内容不得而知。",
            "上一个快照中属于它的内容会照原样沿用，新增和改动的没有备份。请给运行程序的用户读权限和进入（执行）权限，"
            "或在 `exclude` 中排除它。",
        ),
        en=Text(
            "Folder that cannot be opened",
            "The folder {where} could not be opened⟨: {reason}⟩, so what is in it is not known.",
            "What the last snapshot has of it is carried over; anything new or changed in it is not backed up. Give "
            "the user who runs the program the right to read and enter it, or name it in `exclude`.",
        ),
    ),
    Kind.FILE_CHANGING.value: Both(
        zh=Text(
            "文件读取期间不断变化",
            "文件 {where} 在读取期间一直在变化，多次尝试都没有读到一致的内容。",
            "如果之前备份过，快照沿用上一次的内容。请在写入该文件的程序停止后再备份；也可以先做磁盘快照或导出，再备份"
            "那份副本；或在 `exclude` 中排除它。",
        ),
        en=Text(
            "File that kept changing",
            "The file {where} changed each time while it was read, so no consistent content of it could be had.",
            "If it was backed up before, the snapshot keeps the content of then. Run the backup while the program that "
            "writes it rests, back up a disk snapshot or an export of it, or name it in `exclude`.",
        ),
    ),
    Kind.FILE_VANISHED.value: Both(
        zh=Text(
            "文件中途消失",
            "文件 {where} 在备份过程中被删除或被替换。",
            "如果之前备份过，快照沿用上一次的内容；下次运行会按当时的状态处理。如果它是临时文件，请在 `exclude` 中排除"
            "它。",
        ),
        en=Text(
            "File that vanished",
            "The file {where} was removed or replaced while the backup ran.",
            "If it was backed up before, the snapshot keeps the content of then; the next run takes things as they "
            "are. If it is a temporary file, name it in `exclude`.",
        ),
    ),
    Kind.FILE_TOO_LARGE.value: Both(
        zh=Text(
            "文件过大",
            "文件 {where} 超过 OSS 单个文件的上限⟨（{maximum}）⟩⟨，大小为 {size}⟩。",
            "请把它拆分后再备份，或在 `exclude` 中排除它。",
        ),
        en=Text(
            "File that is too large",
            "The file {where} is larger than an object in OSS may be⟨ ({maximum})⟩⟨; its size is {size}⟩.",
            "Split it, or name it in `exclude`.",
        ),
    ),
    Kind.FILE_REFUSED.value: Both(
        zh=Text(
            "文件未能写入 OSS",
            "OSS 没有接受文件 {where}⟨：{code}⟩⟨，{message}⟩⟨（{reason}）⟩。",
            "其余文件已照常处理。请根据返回的错误排查后重新运行；仍无法解决时，请附上 RequestId 提交阿里云工单。",
        ),
        en=Text(
            "File that OSS did not take",
            "OSS did not take the file {where}⟨: {code}⟩⟨, {message}⟩⟨ ({reason})⟩.",
            "The other files were dealt with. See to the error named and run again; if it comes back, ask Alibaba "
            "Cloud's support with the RequestId.",
        ),
    ),
    Kind.FILE_SPECIAL.value: Both(
        zh=Text(
            "特殊文件",
            "{where} 不是普通文件⟨（{sort}）⟩，没有内容可备份。",
            "管道、套接字和设备文件不会被打开；如果不想看到这条警告，请在 `exclude` 中排除它。",
        ),
        en=Text(
            "Special file",
            "{where} is not a regular file⟨ ({sort})⟩ and has no content to back up.",
            "Pipes, sockets and devices are never opened; to be rid of this note, name it in `exclude`.",
        ),
    ),
}

_LINKS: Final[Mapping[str, Both]] = {
    Kind.LINK_OUTSIDE.value: Both(
        zh=Text(
            "指向备份路径之外的符号链接",
            "符号链接 {where} 指向它所在的备份路径之外。备份中只有链接本身，没有它指向的内容。",
            "`follow-symlinks` 只跟随同一备份路径之内的链接。需要那些内容时，请把链接的目标也写进 `paths`；"
            "不需要时，在 `exclude` 中排除这个链接，就不会再有这条警告。",
        ),
        en=Text(
            "Link that leads out of its path",
            "The link {where} leads out of the path that is backed up. It was kept as a link, without what it leads "
            "to.",
            "`follow-symlinks` follows links only within one path of `paths`. To have that content in the backup, name "
            "the place that the link leads to in `paths` as well; to be rid of this note, name the link in `exclude`.",
        ),
    ),
    Kind.LINK_LOOP.value: Both(
        zh=Text(
            "循环的符号链接",
            "符号链接 {where} 指回它所在的文件夹、形成循环，或要经过 40 个以上的链接。备份中只有链接本身。",
            "循环中的文件按各自原来的路径备份。如果不想看到这条警告，请改正这个链接，或在 `exclude` 中排除它。",
        ),
        en=Text(
            "Link that goes in a circle",
            "The link {where} leads back to a folder that it is in, to itself, or through more than 40 links. It was "
            "kept as a link.",
            "Files in the circle are backed up under their own paths. To be rid of this note, correct the link or name "
            "it in `exclude`.",
        ),
    ),
}

TEXTS: Final[Mapping[str, Both]] = {**_SOURCES, **_FILES, **_LINKS}
