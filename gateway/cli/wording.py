"""The words of the verbs that look after a policy: init, fmt, who, expiring, report, schema."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        # --- fmt ---
        "verb-fmt": Message(
            en="write policy files in one canonical form; comments stay",
            ja="ポリシーの書き方をそろえる(コメントは残る)",
        ),
        "fmt-help": Message(
            en="Write policy files (or the *.yaml files of a directory) in one canonical form: order of keys, quotes, layout. Comments stay, and the meaning is compared before anything is written. `-` formats stdin to stdout. If any file has a problem, none is written. Exit code 1 with --check or --diff: something would change; 2: a problem.",
            ja="ポリシーファイル(またはディレクトリの *.yaml)のキーの順序・引用符・体裁をそろえます。コメントは残し、書き込む前に意味が変わらないことを確かめます。`-` は標準入力を整形して標準出力に書きます。問題のあるファイルが一つでもあれば何も書き込みません。終了コード 1: --check か --diff で変更の必要あり、2: 問題あり。",
        ),
        "option-fmt-check": Message(
            en="name the files that would change, write none",
            ja="変更の必要なファイルを示すだけで書き込まない",
        ),
        "option-fmt-diff": Message(
            en="show what would change, write nothing", ja="変更点を示すだけで書き込まない"
        ),
        "fmt-summary": Message(
            en="{changed} of {files} files written anew",
            ja="{files} ファイル中 {changed} ファイルを書き直しました",
        ),
        "fmt-summary-check": Message(
            en="{changed} of {files} files would change",
            ja="{files} ファイル中 {changed} ファイルに変更が必要です",
        ),
        "fmt-stdin-alone": Message(
            en="`-` (stdin) is formatted alone", ja="`-`(標準入力)はほかのファイルと一緒に指定できません"
        ),
        "file-unwritable": Message(
            en="cannot write {path}: {detail}",
            ja="{path} に書き込めません: {detail}",
            hint_en="check the permissions and the space on the disk",
            hint_ja="権限とディスクの空きを確認してください",
        ),
        # --- schema ---
        "verb-schema": Message(
            en="print the JSON Schema of policy files, for editors",
            ja="エディタ用にポリシーファイルの JSON Schema を表示する",
        ),
        "schema-help": Message(
            en="Print the JSON Schema (2020-12) of a policy file. Editors complete and check with it while one writes; whether names and addresses fit together only `masugata check` tells.",
            ja="ポリシーファイルの JSON Schema (2020-12) を表示します。エディタでの補完と検査に使えます。名前やアドレスの整合は `masugata check` で確かめます。",
        ),
        # --- expiring ---
        "verb-expiring": Message(
            en="list the flows that expire, by day, with owner and ticket",
            ja="期限のあるフローを日付ごとに所管・申請番号とともに一覧する",
        ),
        "expiring-help": Message(
            en="List the flows that end, by their last day, with owner and ticket; those that have expired stand first. Disabled flows are left out. Exit code 0 whatever is listed; with --strict 1 if anything is.",
            ja="期限のあるフローを最終日ごとに、所管と申請番号を添えて一覧します。すでに切れたものが先頭です。無効のフローは除きます。終了コードは 0 です(--strict では一件でもあれば 1)。",
        ),
        "option-within": Message(
            en="only what ends within this time: 60d, 8w", ja="この期間内に切れるものだけ(60d、8w など)"
        ),
        "option-expiring-strict": Message(
            en="leave with 1 if anything is listed", ja="一件でもあれば終了コード 1"
        ),
        "bad-span": Message(
            en="'{value}' is not a span of days",
            ja="'{value}' は期間ではありません",
            hint_en="write 60d (days) or 8w (weeks)",
            hint_ja="60d(日)や 8w(週)の形で書いてください",
        ),
        "expiring-none": Message(en="nothing expires in that time", ja="該当する期限はありません"),
        "expiring-day": Message(
            en="{day} {weekday}  {when}  {count} flow(s)", ja="{day}({weekday})  {when}  {count} 件"
        ),
        "expiring-left": Message(en="in {days} day(s)", ja="あと {days} 日"),
        "expiring-past": Message(en="expired {days} day(s) ago", ja="{days} 日前に期限切れ"),
        "weekday-0": Message(en="Mon", ja="月"),
        "weekday-1": Message(en="Tue", ja="火"),
        "weekday-2": Message(en="Wed", ja="水"),
        "weekday-3": Message(en="Thu", ja="木"),
        "weekday-4": Message(en="Fri", ja="金"),
        "weekday-5": Message(en="Sat", ja="土"),
        "weekday-6": Message(en="Sun", ja="日"),
        # --- who ---
        "verb-who": Message(
            en="show everything a policy says about an address or name",
            ja="あるアドレスや名前についてポリシーの記述をすべて示す",
        ),
        "who-help": Message(
            en="Show everything a policy says about WHO: an address, a network, or the name of a host, group, zone, domain name or `gateway`. Which zone, hosts and groups hold it, what it reaches and what reaches it, and every flow and guard that touches it, open or closed at --now.",
            ja="WHO(アドレス、ネットワーク、またはホスト・グループ・領域・ドメイン名の名前や gateway)についてポリシーの記述をすべて示します。属する領域・ホスト・グループ、到達できる先とされる元、関係するすべてのフローとガード(--now の時点で開いているか)。",
        ),
        "who-kind-address": Message(en="address", ja="アドレス"),
        "who-kind-network": Message(en="network", ja="ネットワーク"),
        "who-kind-host": Message(en="host", ja="ホスト"),
        "who-kind-group": Message(en="group", ja="グループ"),
        "who-kind-zone": Message(en="zone", ja="領域"),
        "who-kind-name": Message(en="domain name", ja="ドメイン名"),
        "who-kind-gateway": Message(en="gateway", ja="関門"),
        "who-zone": Message(en="in zone", ja="属する領域"),
        "who-hosts": Message(en="hosts", ja="ホスト"),
        "who-groups": Message(en="groups", ja="グループ"),
        "who-names": Message(en="names", ja="名前"),
        "who-reaches": Message(en="reaches", ja="到達できる先"),
        "who-reached-by": Message(en="reached by", ja="到達される元"),
        "who-from": Message(en="flows from it", ja="送信元のフロー"),
        "who-to": Message(en="flows to it", ja="宛先のフロー"),
        "who-guards": Message(en="guards", ja="ガード"),
        "who-ours": Message(en="the gateway itself", ja="関門自身"),
        "who-no-relay": Message(en="passes nothing on: {because}", ja="中継しない: {because}"),
        "who-part": Message(en="(a part of it)", ja="(一部のみ)"),
        "who-denies": Message(en="refuses", ja="拒否"),
        "who-open": Message(en="open", ja="有効"),
        "who-open-until": Message(en="open until {day}", ja="{day} まで有効"),
        "who-barred": Message(en="shut by {ids}", ja="{ids} により閉鎖"),
        "who-mode-audit": Message(en="only noted", ja="記録のみ"),
        "who-mode-disabled": Message(en="disabled", ja="無効"),
        "who-action-allow": Message(en="direct", ja="直接"),
        "who-action-sanitize:mail": Message(en="mail, sanitised", ja="メール無害化"),
        "who-action-sanitize:web": Message(en="web, through our proxy", ja="Web無害化"),
        "who-action-render": Message(en="as a screen", ja="画面転送"),
        "who-action-file-transfer": Message(en="files, through the portal", ja="ファイル受渡し"),
    }
)
