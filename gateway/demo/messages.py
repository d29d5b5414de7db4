"""The words of the demonstration."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "demo-option-once": Message(
            en="end by itself; exit code 0 only if everything held",
            ja="自動で終了し、すべて成り立った場合だけ終了コード 0",
        ),
        "demo-option-dir": Message(
            en="directory for state, logs, mails and the capture",
            ja="状態・ログ・メール・キャプチャを置くディレクトリ",
        ),
        "demo-no-city": Message(
            en="{path} holds no lab/city.yaml",
            ja="{path} に lab/city.yaml がありません",
            hint_en="run it in a checkout of masugata, or name a directory laid out like examples/sample-city",
            hint_ja="masugata のチェックアウトで実行するか、examples/sample-city と同じ構成のディレクトリを指定してください",
        ),
        "demo-foreign-directory": Message(
            en="{path} is not empty and no demonstration made it",
            ja="{path} は空ではなく、デモが作ったものでもありません",
            hint_en="name another directory with --dir",
            hint_ja="--dir で別のディレクトリを指定してください",
        ),
        "demo-not-ready": Message(
            en="{what} did not get ready",
            ja="{what} の準備ができませんでした",
            hint_en="its own words are in {logs}",
            hint_ja="出力は {logs} にあります",
        ),
        "demo-city-up": Message(
            en="{name} is up: {hosts} hosts on {segments} segments",
            ja="{name} が立ち上がりました: {segments} セグメントに {hosts} ホスト",
        ),
        "demo-gateway-up": Message(
            en="the gateway is in force (revision {revision}), {services} real servers answer",
            ja="ゲートウェイが有効になりました(版 {revision})。{services} 個の実サーバが応答します",
        ),
        "demo-act": Message(en="\n[{number}/{of}] {title}", ja="\n[{number}/{of}] {title}"),
        "demo-act-mail": Message(
            en="an Internet mail crosses as text", ja="インターネットメールがテキストになって届く"
        ),
        "demo-act-ask": Message(en="real attempts between all zones", ja="領域間の実際の通信を試す"),
        "demo-act-generated": Message(
            en="generated packets: what the policy says, what the kernel did",
            ja="生成したパケット: ポリシーの判定とカーネルの実際",
        ),
        "demo-act-counters": Message(en="what the kernel counted", ja="カーネルの計数"),
        "demo-act-replay": Message(
            en="the capture of all this, replayed", ja="ここまでのキャプチャを再生して判定する"
        ),
        "demo-mail-sent": Message(
            en="sent by in-mx to lg-mail, {bytes} bytes: {parts}",
            ja="in-mx から lg-mail へ {bytes} バイトを送信: {parts}",
        ),
        "demo-mail-lost": Message(en="nothing arrived", ja="何も届きませんでした"),
        "demo-mail-arrived": Message(
            en="arrived after {seconds} s as {type}, subject: {subject}",
            ja="{seconds} 秒後に {type} として到着、件名: {subject}",
        ),
        "demo-asked": Message(en="asked", ja="試みた通信"),
        "demo-expected": Message(en="expected", ja="期待"),
        "demo-got": Message(en="got (kernel)", ja="結果(カーネル)"),
        "demo-client": Message(en="client saw", ja="通信元から見た結果"),
        "demo-right": Message(en="", ja=""),
        "demo-verdict": Message(en="verdict", ja="判定"),
        "demo-packets": Message(en="packets", ja="パケット数"),
        "demo-bytes": Message(en="bytes", ja="バイト数"),
        "demo-counter": Message(en="flow or reason", ja="フローまたは理由"),
        "demo-packet": Message(en="packet", ja="パケット"),
        "demo-kind": Message(en="kind", ja="種類"),
        "demo-generated": Message(
            en="{sent} packets sent, {compared} compared by kernel log and arrival, {wrong} differ",
            ja="{sent} 個を送信し、カーネルの記録と到着で {compared} 個を照合。相違 {wrong} 件",
        ),
        "demo-replayed": Message(
            en="{packets} captured, {judged} judged ({engine}); {said} refusals and openings and {forwarded} forwarded packets held against the kernel, {wrong} differ",
            ja="{packets} 個を取得、{judged} 個を判定({engine})。拒否と開始 {said} 件、転送 {forwarded} 個をカーネルと照合。相違 {wrong} 件",
        ),
        "demo-held": Message(
            en="everything held, in {seconds} s; all of it is in {directory}",
            ja="すべて成り立ちました({seconds} 秒)。記録は {directory} にあります",
        ),
        "demo-failed": Message(
            en="NOT everything held; look into {directory}",
            ja="成り立たないものがありました。{directory} を確認してください",
        ),
        "demo-next-status": Message(en="the city is still up:", ja="市はまだ動いています:"),
        "demo-next-exec": Message(en="try a connection yourself:", ja="自分で通信を試す:"),
        "demo-next-audit": Message(en="read the audit log:", ja="監査ログを読む:"),
        "demo-next-mail": Message(en="look at the mails:", ja="メールを見る:"),
        "demo-next-replay": Message(en="replay the capture:", ja="キャプチャを再生する:"),
        "demo-next-explain": Message(en="ask why:", ja="理由を尋ねる:"),
        "demo-next-down": Message(en="end it all:", ja="すべて終わらせる:"),
    }
)
