"""The sentences of findings, and what cures them."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "lint-shadowed": Message(
            en="flow '{name}' never decides: {by} ({actions}) decide every packet it matches",
            ja="フロー '{name}' は一度も効きません。対象のパケットはすべて {by}({actions})が先に判定します",
            hint_en="take it out, or narrow {by} if this flow was meant to be the exception: a stricter action always wins",
            hint_ja="削除するか、このフローを例外にするつもりだったなら {by} を狭めてください(厳しい動作が常に優先します)",
        ),
        "lint-redundant": Message(
            en="flow '{name}' adds nothing: {by} match all of it, do the same and last as long",
            ja="フロー '{name}' は不要です。{by} が同じ範囲を同じ動作で、同じ期間以上扱っています",
            hint_en="take it out; if its ticket is the one that counts, narrow {by} instead",
            hint_ja="削除してください。こちらの申請が正なら {by} の方を狭めてください",
        ),
        "lint-generalisation": Message(
            en="flow '{name}' ({action}) lies around stricter flows: {exceptions}",
            ja="フロー '{name}'({action})の範囲の中に、より厳しいフロー {exceptions} があります",
            hint_en="make sure that everything beside these exceptions is really meant to pass; else name the ends that need it",
            hint_ja="例外以外のすべてを通してよいか確かめてください。そうでなければ、必要な端点だけを書いてください",
        ),
        "lint-overlapping-allows": Message(
            en="flow '{name}' shares packets with {others_named}",
            ja="フロー '{name}' は {others_named} と対象の一部が重なっています",
            hint_en="the stricter action, else the smaller id, decides what both match: cut the ranges so that each packet has one ticket",
            hint_ja="重なる部分は、より厳しい動作、同じ動作なら小さい ID が判定します。一つの通信に一つの申請が対応するように範囲を分けてください",
        ),
        "lint-guard-makes-dead": Message(
            en="flow '{name}' opens nothing: every direction it names is closed by {guards}",
            ja="フロー '{name}' は何も通しません。向きがすべてガード {guards} で閉じられています",
            hint_en="take it out; a guard is not overruled by any flow",
            hint_ja="削除してください。ガードはどのフローよりも優先します",
        ),
        "lint-guard-makes-dead-shields": Message(
            en="flow '{name}' opens nothing: {guards} close its directions for its action. It still refuses what {others} would open",
            ja="フロー '{name}' は何も通しません。その動作での向きはガード {guards} が閉じています。それでも {others} が通すはずの通信を止めています",
            hint_en="decide what shall happen to these packets before you take it out: {others} would let them pass",
            hint_ja="削除する前に、これらの通信をどうするか決めてください。削除すると {others} により通ります",
        ),
        "lint-deny-never-matches": Message(
            en="denial '{name}' never decides: {guards} drop every packet of its directions",
            ja="拒否フロー '{name}' は一度も効きません。その向きはガード {guards} がすべて破棄します",
            hint_en="take it out, or say in the guard's `because` what it was written for",
            hint_ja="削除するか、意図をガードの `because` に書いてください",
        ),
        "lint-names-never-served": Message(
            en="flow '{name}' goes to names ({names}) that nothing serves: it opens nothing",
            ja="フロー '{name}' の宛先名({names})を扱うプロキシがなく、何も通しません",
            hint_en="set `mode: disabled` until a proxy serves names; packets to it are refused as no-proxy",
            hint_ja="名前を扱うプロキシができるまで `mode: disabled` にしてください。今は no-proxy として拒否されます",
        ),
        "lint-any-any": Message(
            en="flow '{name}' opens every service between whole zones: {pairs}",
            ja="フロー '{name}' は領域全体の間であらゆるサービスを開いています: {pairs}",
            hint_en="nothing separates these zones any more: name the hosts and services; `replay` and audit mode show which are used",
            hint_ja="領域の分離が失われています。機器とサービスを書いてください。実際の利用は `replay` と audit モードで調べられます",
        ),
        "lint-too-broad": Message(
            en="flow '{name}' is wider than a purpose can be: {what}",
            ja="フロー '{name}' の範囲が目的に対して広すぎます: {what}",
            hint_en="name the hosts or the ports that are needed; if all are, say so: `lint: {{ignore: [{{code: too-broad, because: …}}]}}`",
            hint_ja="必要な機器やポートを書いてください。すべて必要なら理由を残してください: `lint: {{ignore: [{{code: too-broad, because: …}}]}}`",
        ),
        "lint-high-risk-port": Message(
            en="flow '{name}' opens {services} ({pairs})",
            ja="フロー '{name}' は {services} を開いています({pairs})",
            hint_en="attackers move from zone to zone by these services: use a jump host with hours and approval, or an encrypted successor",
            hint_ja="領域間の侵入に使われやすいサービスです。時間と承認を限った踏み台か、暗号化された後継の方式を使ってください",
        ),
        "lint-asymmetric-service": Message(
            en="flow '{name}' and {back} open one service in both directions between the same ends",
            ja="フロー '{name}' と {back} は、同じ機器どうしで同じサービスを両方向に開いています",
            hint_en="replies need no flow: if one of them was written for replies, take it out",
            hint_ja="応答にフローは要りません。応答のために書かれたものなら削除してください",
        ),
        "lint-relay-host": Message(
            en="{hops} flows make a way that no single one shows: {way} ({flows})",
            ja="{hops} 本のフローが、一本では見えない経路を作っています: {way}({flows})",
            hint_en="the relays are {relays}: cut one hop, put a sanitizing gate into it, or review the relay and write `relay: {{never: true, because: …}}`",
            hint_ja="中継点は {relays} です。どこか一段を断つか無害化を挟むか、転送しないことを確認して `relay: {{never: true, because: …}}` と書いてください",
        ),
        "lint-relay-host-claimed": Message(
            en="{hops} flows make a way, cut only by the claim that {relays} pass nothing on: {way} ({flows})",
            ja="{hops} 本のフローが経路を作っています。これを断つのは {relays} が転送しないという前提だけです: {way}({flows})",
            hint_en="packets cannot show that a host passes nothing on: renew that review, and watch these hosts",
            hint_ja="転送しないことは通信からは確かめられません。確認を定期的に更新し、これらの機器を監視してください",
        ),
        "lint-dns-tunnel": Message(
            en="flow '{name}' lets name lookups leave the zone ({pairs}): their names can carry any bytes",
            ja="フロー '{name}' は名前解決を領域の外へ出します({pairs})。問い合わせの名前で任意の情報を運べます",
            hint_en="ask a resolver of the zone itself, holding only the names needed; else review {resolvers} and write `relay` at the host",
            hint_ja="領域内に必要な名前だけを持つ名前解決サーバを置いてください。できなければ {resolvers} を確認し、ホストに `relay` を書いてください",
        ),
        "lint-dns-tunnel-claimed": Message(
            en="flow '{name}' lets name lookups leave the zone ({pairs}); only the claim about {resolvers} says that they end there",
            ja="フロー '{name}' は名前解決を領域の外へ出します({pairs})。そこで止まるという根拠は {resolvers} についての申告だけです",
            hint_en="names can carry any bytes: renew that review, log the lookups, and look at long or many names",
            hint_ja="名前には任意の情報を載せられます。確認を更新し、問い合わせを記録して、長い名前や大量の問い合わせを監視してください",
        ),
        "lint-quic-beside-proxy": Message(
            en="flow '{name}' lets QUIC (UDP) of clients pass whose web goes through {gates} on TCP",
            ja="フロー '{name}' は、Web を {gates}(TCP)に通している端末の QUIC(UDP)をそのまま通します",
            hint_en="close it: browsers fall back to TCP; where a service needs UDP, name its addresses",
            hint_ja="閉じてください(ブラウザは TCP に切り替わります)。UDP が必要なサービスなら宛先アドレスを限定してください",
        ),
        "lint-ipv6-gap": Message(
            en="denial '{name}' stops IPv4 only, and {flows} pass the same service over IPv6",
            ja="拒否フロー '{name}' は IPv4 だけを止め、{flows} が同じサービスを IPv6 で通します",
            hint_en="add the IPv6 networks to the ends of the denial",
            hint_ja="拒否フローの端点に IPv6 のネットワークも加えてください",
        ),
        "lint-ipv6-gap-only-ipv4": Message(
            en="'{name}' and '{destination}' have IPv6 networks, but these flows speak IPv4 only: {flows}",
            ja="'{name}' と '{destination}' には IPv6 がありますが、次のフローは IPv4 だけです: {flows}",
            hint_en="give the hosts and groups their IPv6 addresses (and icmp its icmp6), or programs wait for an answer that never comes",
            hint_ja="ホストとグループに IPv6 アドレスを(icmp には icmp6 を)加えてください。なければ接続が待たされます",
        ),
        "lint-mac-off-segment": Message(
            en="the MAC of '{name}' ({mac}) is never seen: {addresses} lie behind a router of {zone}",
            ja="'{name}' の MAC({mac})は届きません。{addresses} は {zone} のルータの先にあります",
            hint_en="take `mac` out: behind a router every packet bears the router's MAC and would be refused as spoofed-source",
            hint_ja="`mac` を削除してください。ルータの先の通信はルータの MAC になり、spoofed-source として拒否されます",
        ),
        "lint-expired": Message(
            en="flow '{name}' ended with {expires} (owner: {owner})",
            ja="フロー '{name}' は {expires} で終了しています(所管: {owner})",
            hint_en="ask the owner: renew it with a new ticket, or take it out",
            hint_ja="所管課に確認し、新しい申請で更新するか削除してください",
        ),
        "lint-expiring-together": Message(
            en="{count} flows of {owners} owners end on one day, {day}: {flows}",
            ja="{day} に {count} 本のフロー(所管 {owners})が一斉に期限切れになります: {flows}",
            hint_en="spread the dates, or plan the renewal: at that midnight all of them stop at once",
            hint_ja="期限を分散させるか、更新作業を計画してください。その日の深夜に一斉に止まります",
        ),
        "lint-no-owner": Message(
            en="flow '{name}' has no owner",
            ja="フロー '{name}' に所管がありません",
            hint_en="write `owner`: who is asked whether it is still needed",
            hint_ja="`owner` に、必要かどうかを判断する所管課を書いてください",
        ),
        "lint-no-ticket": Message(
            en="flow '{name}' has no ticket",
            ja="フロー '{name}' に申請番号がありません",
            hint_en="write `ticket`: where it was asked for and decided",
            hint_ja="`ticket` に、申請と決裁の番号を書いてください",
        ),
        "lint-no-justification": Message(
            en="flow '{name}' does not say what it is for",
            ja="フロー '{name}' に目的が書かれていません",
            hint_en="write `justification` in the words of the people who use it",
            hint_ja="`justification` に、利用する業務の言葉で目的を書いてください",
        ),
        "lint-audit-mode-forgotten": Message(
            en="flow '{name}' is in audit mode without an end",
            ja="フロー '{name}' の audit モードに期限がありません",
            hint_en="write `expires`: a trial that never ends is neither open nor closed",
            hint_ja="`expires` を書いてください。終わりのない試行は、許可でも拒否でもありません",
        ),
        "lint-audit-mode-forgotten-over": Message(
            en="the trial of flow '{name}' ended with {until}",
            ja="フロー '{name}' の試行は {until} で終わっています",
            hint_en="look at what was logged; then enforce it or take it out",
            hint_ja="記録を確認し、enforce にするか削除してください",
        ),
        "lint-audit-mode-forgotten-city": Message(
            en="the first deployment's trial ended with {until}",
            ja="導入時の試行期間は {until} で終わっています",
            hint_en="take `audit_until` out of `meta.enforcement`",
            hint_ja="`meta.enforcement` から `audit_until` を削除してください",
        ),
        "lint-disabled-flow": Message(
            en="flow '{name}' is switched off: {justification}",
            ja="フロー '{name}' は無効になっています: {justification}",
            hint_en="take it out if nobody is going to switch it on; version control remembers it",
            hint_ja="有効にする予定がなければ削除してください。履歴は版管理に残ります",
        ),
        "lint-unused-name": Message(
            en="nothing uses '{name}' ({section})",
            ja="'{name}'({section})はどこからも使われていません",
            hint_en="take it out, or look for the flow that was meant to name it",
            hint_ja="削除するか、これを使うはずだったフローがないか確認してください",
        ),
        "lint-suppression-expired": Message(
            en="'{ignored}' of '{name}' was accepted until {until} only: {because}",
            ja="'{name}' の '{ignored}' を許容する期限は {until} まででした: {because}",
            hint_en="look at it anew: cure the finding, or renew `until` with a reason of today",
            hint_ja="改めて確認し、指摘を解消するか、現在の理由とともに `until` を更新してください",
        ),
        "lint-suppression-unused": Message(
            en="there is no '{ignored}' at '{name}' to accept",
            ja="'{name}' には許容すべき '{ignored}' がありません",
            hint_en="take it out of `lint`: it would hide the next one",
            hint_ja="`lint` から削除してください。残しておくと次の指摘を隠します",
        ),
        # --- the verb ---
        "severity-note": Message(en="note", ja="参考"),
        "lint-suppressed": Message(en="accepted: {because}", ja="許容済み: {because}"),
        "lint-related": Message(en="see {what}", ja="関連: {what}"),
        "lint-count": Message(en="{count} × {code}: {title}", ja="{count} 件 {code}: {title}"),
        "lint-summary": Message(
            en="{name}: errors {errors}, warnings {warnings}, notes {notes}; accepted in the file: {accepted}",
            ja="{name}: エラー {errors}、警告 {warnings}、参考 {notes}。ファイル内で許容済み {accepted}",
        ),
        "lint-clean": Message(en="{name}: nothing to remark", ja="{name}: 指摘はありません"),
        "lint-undecided": Message(
            en="not looked into whether others cover these flows, they are too entangled: {flows}",
            ja="重なりが複雑すぎるため、他のフローに覆われるかを調べきれませんでした: {flows}",
        ),
        "lint-unknown-code": Message(
            en="lint has no code '{value}'",
            ja="lint に '{value}' という指摘コードはありません",
            hint_en="known codes: {known}",
            hint_ja="使えるコード: {known}",
        ),
        "lint-formats-differ": Message(
            en="--json and --format {format} ask for different things",
            ja="--json と --format {format} は同時に指定できません",
        ),
        "lint-no-path": Message(
            en="name a policy to look at",
            ja="調べるポリシーを指定してください",
            hint_en="masugata lint examples/sample-city; or --explain CODE",
            hint_ja="例: masugata lint examples/sample-city、または --explain CODE",
        ),
        "lint-explain": Message(en="{code} ({severity}): {title}", ja="{code}({severity}): {title}"),
        "lint-help": Message(
            en="Report what the owner of an allowlist should hear although the policy is valid: lines that do nothing, open too much, make ways together, or were forgotten. Exit code 1 only with --strict.",
            ja="ポリシーとして正しくても、許可台帳の管理者が知るべきことを示します。効いていない行、広すぎる行、組み合わさって経路になる行、忘れられた行など。終了コード 1 は --strict のときだけです。",
        ),
        "option-lint-format": Message(
            en="text, json (one object a line) or sarif (2.1.0)",
            ja="text、json(一行に一つ)、sarif(2.1.0)のいずれか",
        ),
        "option-lint-strict": Message(
            en="leave with 1 while an error or warning is left", ja="エラーか警告が残っていれば終了コード 1"
        ),
        "option-lint-only": Message(
            en="only these codes, separated by commas", ja="指定したコードだけを調べる(コンマ区切り)"
        ),
        "option-lint-explain": Message(
            en="say what a code means, why it matters and what to do", ja="コードの意味・理由・対処を説明する"
        ),
    }
)
