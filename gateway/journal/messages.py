"""The words of the journal and the blob store, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "lease-lost": Message(
            en="job {id} was taken over by another worker",
            ja="ジョブ {id} は別のワーカーに引き継がれました",
        ),
        "journal-unavailable": Message(
            en="the journal {place} cannot be used: {detail}",
            ja="処理台帳 {place} を使用できません: {detail}",
            hint_en="check that the state directory exists, belongs to the gateway's user, and has free space",
            hint_ja="状態ディレクトリの有無、所有者(ゲートウェイの実行ユーザー)、空き容量を確認してください",
        ),
        "journal-missing": Message(
            en="there is no journal in {place}",
            ja="{place} に処理台帳がありません",
            hint_en="name the state directory of the mail service with --state (mail.state in gateway.yaml)",
            hint_ja="メールサービスの状態ディレクトリ(gateway.yaml の mail.state)を --state で指定してください",
        ),
        "journal-too-new": Message(
            en="the journal {place} was written by a newer masugata (version {found}, this one knows {known})",
            ja="処理台帳 {place} は新しい masugata で作成されています(版 {found}、この版は {known} まで対応)",
            hint_en="run the newer masugata again, or restore the state directory saved before the upgrade",
            hint_ja="新しい masugata を使うか、更新前に保存した状態ディレクトリを戻してください",
        ),
        "spool-full": Message(
            en="no room left in the spool: {detail}",
            ja="スプールに空きがありません: {detail}",
            hint_en="free space in the state directory; senders keep their mail and try again by themselves",
            hint_ja="状態ディレクトリの空き容量を増やしてください。送信側はメールを保持し、自動で再送します",
        ),
        "spool-unavailable": Message(
            en="the spool cannot be written: {detail}",
            ja="スプールに書き込めません: {detail}",
            hint_en="check the disk and the owner of the state directory",
            hint_ja="ディスクの状態と、状態ディレクトリの所有者を確認してください",
        ),
        "spool-in-use": Message(
            en="another process is using the spool {place}",
            ja="別のプロセスがスプール {place} を使用中です",
            hint_en="stop the other gateway, or give this one a state directory of its own",
            hint_ja="もう一方のゲートウェイを停止するか、別の状態ディレクトリを指定してください",
        ),
        "blob-missing": Message(
            en="content {sha256} is not in the store",
            ja="内容 {sha256} が保管庫にありません",
            hint_en="restore it from a backup of the state directory; the job stays where it is",
            hint_ja="状態ディレクトリのバックアップから復元してください。ジョブはそのまま残ります",
        ),
        "blob-damaged": Message(
            en="content {sha256} is damaged: it reads as {seen}",
            ja="内容 {sha256} が壊れています(実際のハッシュ値は {seen})",
            hint_en="check the disk, and restore the content from a backup of the state directory",
            hint_ja="ディスクを点検し、状態ディレクトリのバックアップから内容を復元してください",
        ),
    }
)
