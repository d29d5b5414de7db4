"""The words of the verbs that look after a policy: init, fmt, who, expiring, report, schema."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        # --- init ---
        "verb-init": Message(
            en="write a city to begin with: alpha, alpha-prime, beta, beta-prime",
            ja="ひな型の市を書き出す(α、α'、β、β')",
        ),
        "init-help": Message(
            en="Write the policy of a new city into DIR, in one of the four layouts of municipal networks, with comments in Japanese and English. It checks and verifies clean; the traps that such cities have are in it, and `masugata lint` explains them. A directory that holds *.yaml files is left alone unless --force says otherwise.",
            ja="自治体ネットワークの四つのモデルのいずれかで、新しい市のポリシーを DIR に書き出します(コメントは日本語と英語)。検査と証明に合格し、よくある罠も含まれます(`masugata lint` が説明します)。すでに *.yaml のあるディレクトリには --force がなければ書き込みません。",
        ),
        "option-model": Message(en="the layout", ja="モデル"),
        "option-force": Message(
            en="write also where *.yaml files are; those of the same name are replaced",
            ja="*.yaml があっても書き込む(同じ名前のものは置き換える)",
        ),
        "option-init-now": Message(
            en="flows end with the fiscal year after this date (default: today)",
            ja="フローの期限を、この日の後の年度末とする(既定は今日)",
        ),
        "init-not-empty": Message(
            en="{path} holds policy files already: {files}",
            ja="{path} にはすでにポリシーファイルがあります: {files}",
            hint_en="name another directory, or add --force to replace files of the same name",
            hint_ja="別のディレクトリを指定するか、同じ名前のファイルを置き換えるなら --force を付けてください",
        ),
        "init-next": Message(
            en="next: masugata check {path}; masugata verify {path}; masugata lint {path}",
            ja="次に: masugata check {path}、masugata verify {path}、masugata lint {path}",
        ),
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
        # --- report ---
        "verb-report": Message(
            en="say clause by clause what is proved, configured, open, or outside",
            ja="条文ごとに、証明済み・設定済み・未達・対象外を報告する",
        ),
        "report-help": Message(
            en="Hold a policy against the clauses of the city's security policy: what is proved (over all packets), configured, open, or outside this product, and who shows the latter. Without --clauses only the open ones are listed. Exit code 0; with --strict 1 if a clause is open.",
            ja="ポリシーを情報セキュリティポリシーの条文と照らし、証明済み(全パケットについて)・設定済み・未達・対象外(誰が示すか)を報告します。--clauses がなければ未達の条文だけを示します。終了コードは 0 です(--strict では未達があれば 1)。",
        ),
        "option-clauses": Message(en="every clause, with its words", ja="すべての条文を本文とともに示す"),
        "option-pack": Message(en="the document whose clauses are meant", ja="照らし合わせる文書"),
        "option-report-format": Message(en="how to write the report", ja="書き出す形式"),
        "option-report-strict": Message(
            en="leave with 1 if a clause is open", ja="未達の条文があれば終了コード 1"
        ),
        "option-report-audit": Message(
            en="the audit log: what it shows stands beside each clause that needs records",
            ja="監査ログ。記録の要る条文ごとに、ログが示すものを添える",
        ),
        "option-report-anchor": Message(
            en="a head of that log noted down elsewhere", ja="そのログについて別の場所に控えた末端"
        ),
        "report-anchor-alone": Message(
            en="an anchor belongs to an audit log",
            ja="控え(--anchor)は監査ログとともに指定します",
            hint_en="name the log with --audit",
            hint_ja="--audit でログを指定してください",
        ),
        "report-standing-recorded": Message(en="recorded", ja="記録あり"),
        "report-recorded": Message(
            en="the audit log shows it, {first} to {last}; chain whole, {events} records",
            ja="監査ログに記録がある({first} から {last} まで、全 {events} 件、連鎖に破れなし)",
        ),
        "report-not-recorded": Message(
            en="the audit log has no record of it, {first} to {last}; chain whole, {events} records",
            ja="監査ログに該当する記録がない({first} から {last} まで、全 {events} 件、連鎖に破れなし)",
        ),
        "report-log-gaps": Message(
            en="the audit log itself says that records were lost: at least {lost} in {gaps} place(s), {first} to {last} ({events} records)",
            ja="監査ログ自身が記録の欠落を示している: {gaps} か所、少なくとも {lost} 件({first} から {last} まで、全 {events} 件)",
        ),
        "report-log-broken": Message(
            en="the chain of the audit log is broken ({findings} findings of `masugata audit verify`): none of it counts",
            ja="監査ログの連鎖が破れている(`masugata audit verify` の指摘 {findings} 件)。証拠に数えない",
        ),
        "report-count-allowed": Message(en="allowed: {count}", ja="許可の記録: {count} 件"),
        "report-count-refused": Message(en="refused: {count}", ja="拒否の記録: {count} 件"),
        "report-count-sanitised": Message(en="sanitised: {count}", ja="無害化の記録: {count} 件"),
        "report-count-mail-refused": Message(
            en="mail refused or quarantined: {count}", ja="メール拒否・隔離の記録: {count} 件"
        ),
        "report-count-applied": Message(en="policy applied: {count}", ja="ポリシー適用の記録: {count} 件"),
        "report-log": Message(
            en="audit log: chain whole, {events} records from {first} to {last}, {revision} of them under this revision of the policy",
            ja="監査ログ: 連鎖に破れなし。{first} から {last} まで {events} 件、うちこの版のポリシーによるもの {revision} 件",
        ),
        "report-log-lacks": Message(
            en="audit log: {gaps} gap(s) with at least {lost} lost records; {crashes} run(s) that ended without their last record",
            ja="監査ログ: 欠落 {gaps} か所(少なくとも {lost} 件)。最後の記録なしに終わった起動 {crashes} 回",
        ),
        "report-log-not-anchored": Message(
            en="audit log: held against no head noted elsewhere (--anchor), so a cut end would not be seen",
            ja="監査ログ: 別に控えた末端(--anchor)と照らしていないため、末尾の切り取りは検出できない",
        ),
        "report-no-log": Message(
            en="No audit log was looked at (--audit): nothing is said of records.",
            ja="監査ログは見ていません(--audit)。記録については何も示していません。",
        ),
        "report-basis-proved": Message(
            en="the invariants that name it are proved: {ids}", ja="これを根拠とする不変条件は証明済み: {ids}"
        ),
        "report-basis-unproved": Message(
            en="invariants that name it are not proved: {ids}",
            ja="これを根拠とする不変条件が証明されていない: {ids}",
        ),
        "report-lang": Message(en="en", ja="ja"),
        "report-title": Message(
            en="{policy}: clause by clause, at {moment}", ja="{policy}: 条文ごとの充足状況({moment} 時点)"
        ),
        "report-source": Message(
            en="{title_en} / {title}, revised {revised}", ja="{title} ({title_en})、{revised}改定"
        ),
        "report-standing-proved": Message(en="proved", ja="証明済み"),
        "report-standing-configured": Message(en="configured", ja="設定済み"),
        "report-standing-open": Message(en="open", ja="未達"),
        "report-standing-outside": Message(en="outside", ja="対象外"),
        "report-partly": Message(
            en="{count} of the clauses answered here have a part that others must show (>). What is outside is not counted as met.",
            ja="ここで答えた条文のうち {count} 件には、ほかの者が示すべき部分(>)があります。対象外は満たしたものに数えません。",
        ),
        "report-outside": Message(
            en="outside ({kind}): {what}. Shown by: {by}",
            ja="対象外({kind}): {what}。示す者: {by}",
        ),
        "report-kind-physical": Message(en="premises", ja="物理"),
        "report-kind-human": Message(en="people", ja="人"),
        "report-kind-organisation": Message(en="organisation", ja="組織"),
        "report-kind-contract": Message(en="contracts", ja="契約"),
        "report-kind-terminal": Message(en="terminals", ja="端末"),
        "report-kind-continuity": Message(en="continuity", ja="業務継続"),
        "report-basis": Message(en="named as their basis by: {ids}", ja="根拠として挙げるもの: {ids}"),
        "report-notes": Message(en="takes for granted, or leaves out: {count}", ja="前提と例外: {count} 件"),
        "report-exceptions": Message(
            en="{id} leaves out {ids}: {because}", ja="{id} は {ids} を除く: {because}"
        ),
        "report-assumes": Message(en="{id} assumes: {assumption}", ja="{id} の前提: {assumption}"),
        "report-proved": Message(
            en="{pairs}: proved for every packet ({ids})",
            ja="{pairs}: すべてのパケットについて証明済み({ids})",
        ),
        "report-proved-except": Message(
            en="{pairs}: proved for every packet but those of {flows} ({ids})",
            ja="{pairs}: {flows} によるものを除き、すべてのパケットについて証明済み({ids})",
        ),
        "report-excepted-wide": Message(
            en="{pairs}: {flows} are excepted from {ids}, and join whole zones or open any service",
            ja="{pairs}: {flows} は {ids} の例外だが、領域全体またはすべてのサービスに及ぶ",
        ),
        "report-guarded": Message(
            en="{pairs}: held by guards ({ids}), without an invariant that is proved",
            ja="{pairs}: ガード({ids})で閉じているが、証明された不変条件がない",
        ),
        "report-unguarded": Message(
            en="{pairs}: neither proved nor held by guards", ja="{pairs}: 証明もガードもない"
        ),
        "report-violated": Message(
            en="{pairs}: violated ({ids}); `masugata verify` shows the packets",
            ja="{pairs}: 破れている({ids})。反例は `masugata verify` で確認できる",
        ),
        "report-no-zones": Message(en="no zone of class {classes}", ja="区分 {classes} の領域がない"),
        "report-zones": Message(en="is the zone {zones}", ja="領域 {zones} として定めている"),
        "report-sanitised": Message(
            en="made safe on the way: {ids}; the audit log counts them",
            ja="無害化して渡す経路: {ids}(件数は監査ログにある)",
        ),
        "report-no-sanitised": Message(en="no sanitised way is open", ja="無害化する経路が開いていない"),
        "report-narrow": Message(
            en="direct ways across the edge join fixed machines for named services: {ids}",
            ja="領域の外との直接の通信は、機器とサービスを固定したものだけ: {ids}",
        ),
        "report-wide": Message(
            en="direct ways across the edge that are not fixed to machines and services: {ids}",
            ja="領域の外との直接の通信で、機器とサービスが固定されていないもの: {ids}",
        ),
        "report-cited": Message(en="put into practice by {ids}", ja="これに基づく設定: {ids}"),
        "report-not-cited": Message(
            en="no flow in force and no guard names this clause", ja="この条文に基づくフローもガードもない"
        ),
        "report-managed": Message(
            en="all {count} flows in force name owner, ticket and purpose",
            ja="有効なフロー {count} 件すべてに所管・申請番号・理由がある",
        ),
        "report-unmanaged": Message(
            en="without owner, ticket or purpose: {ids}", ja="所管・申請番号・理由のいずれかがない: {ids}"
        ),
        "report-tests": Message(
            en="{passed} of {count} tests of the policy pass",
            ja="ポリシーのテスト {count} 件中 {passed} 件合格",
        ),
        "report-all-proved": Message(
            en="every invariant is proved: {ids}", ja="不変条件はすべて証明済み: {ids}"
        ),
        "report-not-all-proved": Message(en="not proved: {ids}", ja="証明されていない不変条件: {ids}"),
        "report-no-invariants": Message(en="no invariant is written", ja="不変条件が書かれていない"),
        "report-expired": Message(
            en="expired and still in the files: {ids}", ja="期限切れのまま残っているフロー: {ids}"
        ),
        "report-undated": Message(en="no flow has a last day", ja="期限を持つフローがない"),
        "report-dated": Message(
            en="{count} flows come up for review by their last day, none has expired",
            ja="フロー {count} 件に見直しの期限があり、切れたものはない",
        ),
        "report-clauses": Message(en="answered by {ids}", ja="{ids} による"),
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
