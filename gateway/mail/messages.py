"""The words of the mail service and its verb, in both languages."""

from __future__ import annotations

import gateway.journal.messages  # noqa: F401  (the journal's words come with the mail's)
from zones.messages import Message, declare

declare(
    {
        "mail-listen": Message(
            en="cannot listen for mail on {address}: {detail}",
            ja="{address} でメールを待ち受けできません: {detail}",
            hint_en="stop what uses that port (ss -ltnp), or set mail.listen.port in gateway.yaml",
            hint_ja="そのポートを使っているものを止める(ss -ltnp で確認)か、gateway.yaml の mail.listen.port を変更してください",
        ),
        "mail-no-job": Message(
            en="there is no mail {id} in the journal",
            ja="処理台帳にメール {id} はありません",
            hint_en="masugata mail queue lists them; delivered ones are forgotten after mail.retain_seconds",
            hint_ja="masugata mail queue で一覧できます。配送済みのものは mail.retain_seconds を過ぎると消えます",
        ),
        "mail-ambiguous-job": Message(
            en="{id} is the beginning of {count} mails",
            ja="{id} で始まるメールが {count} 件あります",
            hint_en="give more of the id",
            hint_ja="ID をもう少し長く指定してください",
        ),
        "mail-help-queue": Message(en="list mails in the journal", ja="処理台帳のメールを一覧する"),
        "mail-help-show": Message(en="show one mail of the journal", ja="処理台帳のメール1通を表示する"),
        "mail-option-state": Message(
            en="state directory of the mail service", ja="メールサービスの状態ディレクトリ"
        ),
        "mail-option-all": Message(en="also those that were delivered", ja="配送済みのものも表示する"),
        "mail-option-limit": Message(en="show at most so many", ja="表示する最大件数"),
        "mail-queue-empty": Message(en="no mail is waiting", ja="待っているメールはありません"),
        "mail-queue-more": Message(
            en="more mails follow: raise --limit ({limit})",
            ja="続きがあります。--limit({limit})を増やしてください",
        ),
        "mail-state-spooled": Message(en="taken in", ja="受領済み"),
        "mail-state-parsing": Message(en="being sanitised", ja="無害化中"),
        "mail-state-rendering": Message(en="being rendered", ja="画像化中"),
        "mail-state-verified": Message(en="waiting for delivery", ja="配送待ち"),
        "mail-state-delivering": Message(en="being delivered", ja="配送中"),
        "mail-state-delivered": Message(en="delivered", ja="配送済み"),
        "mail-state-quarantined": Message(en="held in quarantine", ja="隔離中"),
        "mail-state-awaiting_password": Message(en="waiting for a password", ja="パスワード待ち"),
        "mail-state-dead": Message(en="not delivered, given up", ja="配送不能(断念)"),
        "mail-target-pending": Message(en="pending", ja="未配送"),
        "mail-target-delivered": Message(en="delivered", ja="配送済み"),
        "mail-target-dead": Message(en="failed", ja="不達"),
        "mail-field-state": Message(en="state", ja="状態"),
        "mail-field-reason": Message(en="reason", ja="理由"),
        "mail-field-sender": Message(en="sender", ja="送信者"),
        "mail-field-recipient": Message(en="recipient", ja="宛先"),
        "mail-field-peer": Message(en="from host", ja="送信元ホスト"),
        "mail-field-destination": Message(en="next host", ja="配送先ホスト"),
        "mail-field-flow": Message(en="flow", ja="フロー"),
        "mail-field-arrived": Message(en="arrived", ja="受信時刻"),
        "mail-field-next": Message(en="next attempt", ja="次の試行"),
        "mail-field-attempts": Message(en="attempts", ja="試行回数"),
        "mail-field-message-id": Message(en="Message-ID", ja="Message-ID"),
        "mail-field-original": Message(en="original", ja="原本"),
        "mail-field-artefact": Message(en="artefact", ja="無害化後"),
    }
)
