"""The words of replay, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

_OPTIONS = {
    "replay-help": Message(
        en="Judge every packet of captures (pcap, pcapng, also as .gz or .zst; directories; - is standard input) by a policy.",
        ja="キャプチャ(pcap・pcapng、gzip・Zstandard 圧縮も可。ディレクトリ、標準入力を表す - も可)の全パケットをポリシーで判定します。",
    ),
    "option-replay-policy": Message(
        en="policy file or directory (or MASUGATA_POLICY)",
        ja="ポリシーのファイルまたはディレクトリ(環境変数 MASUGATA_POLICY でも可)",
    ),
    "option-replay-map": Message(
        en="zone of an interface (name, number or *), of a VLAN (vlan:120) or of source addresses (10.20.0.0/16); repeatable",
        ja="インターフェース(名前・番号・*)、VLAN(vlan:120)、送信元アドレス(10.20.0.0/16)が属する領域(複数指定可)",
    ),
    "option-replay-against": Message(
        en="a second policy: show what it would change",
        ja="比較するポリシー。これに替えると何が変わるかを示す",
    ),
    "option-replay-exit-code": Message(
        en="with --against: leave with 1 if anything crosses otherwise",
        ja="--against とともに: 通過に違いがあれば終了コード 1",
    ),
    "option-replay-keep-order": Message(
        en="read the captures in the order given, not in that of their first packets",
        ja="最初のパケットの時刻順ではなく、指定された順にキャプチャを読む",
    ),
    "option-replay-follow": Message(
        en="go on with a capture that is still being written (a file, or a directory of rotated ones) until control-C",
        ja="書き込み中のキャプチャ(ファイル、またはローテーション先のディレクトリ)を control-C まで追い続ける",
    ),
    "option-replay-by": Message(
        en="add up by zone pair, flow or guard, reason, host, or exchange (repeatable)",
        ja="領域の組・フロー・理由・ホスト・通信ごとに集計する(複数指定可)",
    ),
    "option-replay-html": Message(
        en="write a report for the browser: one file that needs nothing from elsewhere",
        ja="ブラウザーで見るレポートを書き出す(外部に何も取りに行かない 1 ファイル)",
    ),
    "option-replay-eve": Message(
        en="write flows and refusals as EVE JSON lines, as Suricata does",
        ja="通信と拒否を Suricata 互換の EVE JSON 形式(1 行 1 件)で書き出す",
    ),
    "option-replay-parquet": Message(
        en="write flows as a Parquet file (needs masugata[replay])",
        ja="通信を Parquet ファイルに書き出す(masugata[replay] が必要)",
    ),
    "option-replay-rows": Message(
        en="what --eve and --parquet write: single flows, or exchanges (sums, fast)",
        ja="--eve と --parquet が書き出すもの: 個々の通信(flows)か、集計(exchanges、高速)",
    ),
    "option-replay-save-case": Message(
        en="write a test case: these packets, the policy, and what must come of them",
        ja="テストケース(パケット・ポリシー・期待結果)をこのディレクトリに書き出す",
    ),
    "option-replay-only": Message(
        en="packets of the case: 17, 100-200, flow=12, denied, host=ADDRESS, by=ID, reason=CODE (repeatable)",
        ja="ケースに入れるパケット: 17、100-200、flow=12、denied、host=アドレス、by=ID、reason=コード(複数指定可)",
    ),
    "option-replay-anonymise": Message(
        en="replace addresses in the case by others that the policy treats alike, and cut what packets carry",
        ja="ケース内のアドレスをポリシー上同じ扱いの別アドレスに置き換え、パケットの中身を取り除く",
    ),
    "option-replay-engine": Message(
        en="which engine judges: native or reference; without it the fastest that is here",
        ja="判定に使うエンジン(native または reference)。省略すると、ここにある最も速いもの",
    ),
    "option-replay-now": Message(
        en="judge expiry and hours as of this date (default: each packet's own time)",
        ja="期限と時間帯をこの日時で判定する(既定は各パケットの時刻)",
    ),
    "option-replay-checksums": Message(
        en="judge packets with a wrong IPv4 header checksum too (rewritten captures)",
        ja="IPv4 ヘッダーのチェックサムが不正なパケットも判定する(書き換えられたキャプチャ用)",
    ),
    "option-replay-packets": Message(en="list packets", ja="パケットを一覧する"),
    "option-replay-flows": Message(en="list flows", ja="通信を一覧する"),
    "option-replay-denied": Message(en="list only what was denied", ja="拒否されたものだけを一覧する"),
    "option-replay-limit": Message(
        en="list at most so many lines of each kind", ja="種類ごとの一覧の最大行数"
    ),
}

_ERRORS = {
    "capture-not-opened": Message(
        en="cannot open {file}: {detail}",
        ja="{file} を開けません: {detail}",
        hint_en="give the path of a capture file, or - for standard input",
        hint_ja="キャプチャファイルのパス、または標準入力を表す - を指定してください",
    ),
    "capture-empty": Message(
        en="{file} holds no capture: it is empty, or ends before a capture begins",
        ja="{file} にキャプチャがありません。空か、キャプチャが始まる前に終わっています",
        hint_en="take the capture again; tcpdump writes its file when it is stopped with control-C, not with kill -9",
        hint_ja="キャプチャを取り直してください。tcpdump は kill -9 ではなく control-C で止めるとファイルを書き終えます",
    ),
    "capture-not-recognised": Message(
        en="{file} is not a capture we know (it begins with: {magic})",
        ja="{file} は読み取れるキャプチャではありません(先頭バイト: {magic})",
        hint_en="pcap and pcapng are read, also as .gz or .zst; convert others with: editcap -F pcapng IN OUT",
        hint_ja="読めるのは pcap と pcapng(gzip・Zstandard 圧縮も可)です。他の形式は editcap -F pcapng 入力 出力 で変換してください",
    ),
    "replay-library-missing": Message(
        en="{purpose} needs the library {library}, which is not installed",
        ja="{purpose} に必要なライブラリ {library} がインストールされていません",
        hint_en="install it with: pip install 'masugata[replay]'",
        hint_ja="pip install 'masugata[replay]' でインストールしてください",
    ),
    "replay-directory-empty": Message(
        en="the directory {directory} holds no capture ({files} files of another kind)",
        ja="ディレクトリ {directory} にキャプチャがありません(他の種類のファイル {files} 個)",
        hint_en="captures are told by their first bytes, not by their names, and are not looked for in directories below",
        hint_ja="キャプチャかどうかは名前ではなく先頭バイトで判断します。下のディレクトリは探しません",
    ),
    "replay-follow-one": Message(
        en="--follow takes one file or one directory",
        ja="--follow に指定できるのはファイルまたはディレクトリ 1 つだけです",
        hint_en="standard input is read until it ends, without --follow: tcpdump -U -w - | masugata replay - ...",
        hint_ja="標準入力は --follow なしで終わりまで読みます: tcpdump -U -w - | masugata replay - ...",
    ),
    "replay-exit-code-alone": Message(
        en="--exit-code is about a comparison",
        ja="--exit-code は比較のときに使うものです",
        hint_en="give the other policy with --against",
        hint_ja="もう一方のポリシーを --against で指定してください",
    ),
    "replay-only-alone": Message(
        en="--only and --anonymise are about a case to be saved",
        ja="--only と --anonymise はケースを保存するときに使うものです",
        hint_en="say where with --save-case DIRECTORY; to list less, use --denied or --limit",
        hint_ja="保存先を --save-case で指定してください。一覧を絞るには --denied や --limit を使います",
    ),
    "replay-only-syntax": Message(
        en="--only {selector}: not a choice of packets",
        ja="--only {selector}: パケットの選び方として読めません",
        hint_en="packet numbers (17, 100-200, FILE:17), flow=12, denied, host=10.20.16.11, host=10.20.0.0/16, by=F020, or reason=default-deny",
        hint_ja="パケット番号(17、100-200、ファイル:17)、flow=12、denied、host=10.20.16.11、host=10.20.0.0/16、by=F020、reason=default-deny のいずれかです",
    ),
    "replay-case-exists": Message(
        en="{directory} is there already, and is not an empty directory",
        ja="{directory} は既に存在し、空のディレクトリではありません",
        hint_en="a case is never overwritten: give the name of a new directory",
        hint_ja="ケースは上書きしません。新しいディレクトリ名を指定してください",
    ),
    "replay-case-empty": Message(
        en="no packet is left for the case",
        ja="ケースに入るパケットがありません",
        hint_en="look with --packets which ones there are, and choose them with --only",
        hint_ja="--packets でどのパケットがあるかを確かめ、--only で選んでください",
    ),
    "replay-case-too-large": Message(
        en="more packets than a case may hold ({packets}, or {megabytes} MB)",
        ja="ケースに入れられる量({packets} パケットまたは {megabytes} MB)を超えています",
        hint_en="a case shows one thing: choose fewer packets with --only",
        hint_ja="ケースは 1 つのことを示すものです。--only でパケットを絞ってください",
    ),
    "replay-anonymise-differs": Message(
        en="packet {number} of the case would get another verdict with the new addresses; nothing was written",
        ja="ケースの {number} 番目のパケットは、アドレスの置き換えで判定が変わってしまいます。何も書き出していません",
        hint_en="leave it out with --only, or save the case without --anonymise; and please report it",
        hint_ja="--only で除くか、--anonymise なしで保存してください。不具合として報告もお願いします",
    ),
    "replay-output-taken": Message(
        en="{file} cannot be written: it is read, or written already, by this run",
        ja="{file} には書き込めません。この実行で読み込むか、既に出力先になっています",
        hint_en="give every output a file of its own",
        hint_ja="出力ごとに別のファイルを指定してください",
    ),
    "replay-not-written": Message(en="cannot write {file}: {detail}", ja="{file} に書き込めません: {detail}"),
    "engine-unavailable": Message(
        en="the engine '{engine}' is not in this installation (there are: {engines})",
        ja="エンジン '{engine}' はこの環境にありません(利用可能: {engines})",
        hint_en="choose another with --engine; nothing falls back silently",
        hint_ja="--engine で別のエンジンを選んでください。黙って代替することはありません",
    ),
    "replay-map-syntax": Message(
        en="--map {entry} is not of the form WHAT=ZONE",
        ja="--map {entry} は 対象=領域 の形ではありません",
        hint_en="for example --map mn0=mynumber, --map 0=lgwan, --map vlan:120=lgwan, --map 10.20.0.0/16=lgwan, or --map '*=outside'",
        hint_ja="例: --map mn0=mynumber、--map 0=lgwan、--map vlan:120=lgwan、--map 10.20.0.0/16=lgwan、--map '*=outside'",
    ),
    "replay-map-vlan": Message(
        en="--map {entry}: not a VLAN number",
        ja="--map {entry}: VLAN 番号ではありません",
        hint_en="give a number from 1 to 4094, for example --map vlan:120=lgwan",
        hint_ja="1 から 4094 までの番号を指定してください。例: --map vlan:120=lgwan",
    ),
    "replay-map-prefix": Message(
        en="--map {entry}: not a network",
        ja="--map {entry}: ネットワークとして読めません",
        hint_en="write it as address and prefix length, for example --map 10.20.0.0/16=lgwan",
        hint_ja="アドレスとプレフィックス長で指定してください。例: --map 10.20.0.0/16=lgwan",
    ),
    "replay-map-host-bits": Message(
        en="--map {entry}: bits are set behind the prefix length",
        ja="--map {entry}: プレフィックス長より後ろのビットが立っています",
        hint_en="the network is {network}; one address alone is written without a length",
        hint_ja="ネットワークは {network} です。1 アドレスだけなら長さを付けずに書きます",
    ),
    "replay-map-zone": Message(
        en="--map {entry}: the policy has no zone '{zone}' (it has: {zones})",
        ja="--map {entry}: ポリシーに領域 '{zone}' はありません(あるのは {zones})",
    ),
    "replay-map-twice": Message(
        en="--map {entry}: '{interface}' is mapped to another zone already",
        ja="--map {entry}: '{interface}' は既に別の領域に割り当てられています",
    ),
    "replay-now-syntax": Message(
        en="--now {text} is not a date or time",
        ja="--now {text} は日時として読めません",
        hint_en="for example 2026-10-01 or 2026-10-01T09:30:00+09:00",
        hint_ja="例: 2026-10-01、2026-10-01T09:30:00+09:00",
    ),
    "replay-trouble": Message(
        en="{file}: stopped at byte {offset} ({trouble}); the {packets} packets before it were judged",
        ja="{file}: {offset} バイト目で読み取りを中断しました({trouble})。それまでの {packets} パケットは判定済みです",
    ),
}

_TROUBLES = {
    "capture-cut": Message(
        en="the file ends in the middle of a record", ja="レコードの途中でファイルが終わっています"
    ),
    "capture-unreadable": Message(
        en="the compressed data or the device is damaged", ja="圧縮データまたは装置が壊れています"
    ),
    "pcap-version": Message(en="unknown pcap version", ja="未知の pcap バージョンです"),
    "record-length": Message(
        en="a record claims an impossible length", ja="レコードの長さがあり得ない値です"
    ),
    "block-length": Message(en="a block claims an impossible length", ja="ブロックの長さがあり得ない値です"),
    "block-trailer": Message(en="a block's two lengths differ", ja="ブロック前後の長さが一致しません"),
    "packet-length": Message(
        en="a packet claims more than its block holds", ja="パケットの長さがブロックを超えています"
    ),
    "section-order": Message(en="a section header is damaged", ja="セクションヘッダーが壊れています"),
    "section-version": Message(en="unknown pcapng version", ja="未知の pcapng バージョンです"),
    "too-many-interfaces": Message(
        en="more interfaces than can be real", ja="インターフェースの数があり得ない値です"
    ),
}

_REPORT = {
    "replay-policy": Message(
        en="Policy {name} ({revision}), engine {engine}", ja="ポリシー {name}({revision})、エンジン {engine}"
    ),
    "replay-span": Message(
        en="Captured {first} to {last} UTC ({seconds} s)",
        ja="キャプチャ期間 {first} 〜 {last} UTC({seconds} 秒)",
    ),
    "replay-counts": Message(
        en="{packets} packets = {judged} judged + {unparsed} not parsed + {skipped} skipped; {flows} flows; {denied} packets denied",
        ja="{packets} パケット = 判定 {judged} + 解析不可 {unparsed} + 対象外 {skipped}。通信 {flows} 件、拒否 {denied} パケット",
    ),
    "replay-by-zones": Message(en="By zones", ja="領域別"),
    "replay-by-decision": Message(en="By flow or guard", ja="フロー・ガード別"),
    "replay-by-reason": Message(en="By reason", ja="理由別"),
    "replay-by-host": Message(en="By host", ja="ホスト別"),
    "replay-by-exchange": Message(en="By exchange", ja="通信別"),
    "replay-more-rows": Message(en="... and {count} more (--limit)", ja="ほか {count} 件(--limit で変更)"),
    "replay-against": Message(
        en="Against policy {name} ({revision})", ja="比較先のポリシー {name}({revision})"
    ),
    "replay-against-same": Message(
        en="Nothing would change: both policies say the same of all {packets} packets compared",
        ja="変化なし: 比較した {packets} パケットすべてで、両ポリシーの判定と決め手が一致します",
    ),
    "replay-change-newly-refused": Message(en="Newly refused", ja="新たに拒否"),
    "replay-change-newly-allowed": Message(en="Newly allowed", ja="新たに許可"),
    "replay-change-handled-otherwise": Message(en="Passes in another way", ja="通し方が変わる"),
    "replay-change-decided-otherwise": Message(
        en="Same outcome, decided otherwise", ja="結果は同じで決め手が変わる"
    ),
    "replay-column-exchange": Message(en="exchange", ja="通信"),
    "replay-column-before": Message(en="before", ja="変更前"),
    "replay-column-after": Message(en="after", ja="変更後"),
    "replay-column-flows": Message(en="flows", ja="件数"),
    "replay-column-service": Message(en="service", ja="サービス"),
    "replay-column-zone": Message(en="zone", ja="領域"),
    "replay-column-host": Message(en="host", ja="ホスト"),
    "replay-column-peers": Message(en="peers", ja="相手"),
    "replay-column-began": Message(en="began", ja="発信"),
    "replay-column-served": Message(en="served", ja="着信"),
    "replay-column-denied-from": Message(en="refused out", ja="発信拒否"),
    "replay-column-denied-to": Message(en="refused in", ja="着信拒否"),
    "replay-case-written": Message(
        en="Case written: {directory} ({packets} packets); say in case.md what it shows",
        ja="ケースを書き出しました: {directory}({packets} パケット)。何を示すケースかを case.md に書いてください",
    ),
    "replay-case-unwritable": Message(
        en="{count} packets are not in the case: the capture does not describe their interface",
        ja="{count} パケットはケースに含まれません。インターフェースの記述がキャプチャにないためです",
    ),
    "replay-case-differs": Message(
        en="{count} packets get another verdict in the case than in the capture, for what came before them is not in it (the first: packet {first} of the case); choosing whole flows (--only flow=N) keeps it",
        ja="{count} パケットは、それ以前のパケットがケースにないため元のキャプチャと判定が異なります(最初はケースの {first} 番目)。通信全体(--only flow=番号)を選べば同じになります",
    ),
    "replay-anonymise-left-out": Message(
        en="{count} packets are not in the case: they cannot be made anonymous (not parsed, or extension headers)",
        ja="{count} パケットは匿名化できないためケースに含まれません(解析不可、または拡張ヘッダー付き)",
    ),
    "replay-written": Message(en="Written: {file}", ja="書き出しました: {file}"),
    "replay-passed-over": Message(
        en="{file}: no capture, passed over", ja="{file}: キャプチャではないため読み飛ばします"
    ),
    "replay-reordered": Message(
        en="Read in the order of their first packets: {files} (--keep-order keeps the order given)",
        ja="最初のパケットの時刻順に読みます: {files}(--keep-order で指定順のまま)",
    ),
    "replay-not-parsed": Message(en="Not parsed", ja="解析できなかったもの"),
    "replay-column-source": Message(en="from", ja="送信元"),
    "replay-column-destination": Message(en="to", ja="宛先"),
    "replay-column-outcome": Message(en="verdict", ja="判定"),
    "replay-column-decided-by": Message(en="decided by", ja="決め手"),
    "replay-column-reason": Message(en="reason", ja="理由"),
    "replay-column-treated": Message(en="treated as", ja="扱い"),
    "replay-column-first": Message(en="first packet", ja="最初のパケット"),
    "replay-column-packets": Message(en="packets", ja="パケット"),
    "replay-column-share": Message(en="share", ja="割合"),
    "replay-column-bytes": Message(en="bytes", ja="バイト"),
    "replay-refused": Message(en="denied as malformed", ja="不正形式として拒否"),
    "replay-not-judged": Message(en="not judged", ja="判定せず"),
    "replay-flow-size": Message(en="{packets} packets {bytes}", ja="{packets} パケット {bytes}"),
    "replay-flow-denied": Message(en="({denied} denied)", ja="(うち拒否 {denied})"),
    "replay-not-shown": Message(
        en="{packets} packets and {flows} flows more are not listed (--limit)",
        ja="ほかに {packets} パケット、{flows} 件の通信があります(--limit により省略)",
    ),
    "replay-progress": Message(
        en="{packets} packets, {rate} packets/s", ja="{packets} パケット、毎秒 {rate} パケット"
    ),
    "replay-progress-part": Message(
        en="{percent} %, {packets} packets, {rate} packets/s, {left} left",
        ja="{percent} %、{packets} パケット、毎秒 {rate} パケット、残り {left}",
    ),
    "replay-took": Message(
        en="{packets} packets in {seconds} s, {rate} packets/s",
        ja="{packets} パケットを {seconds} 秒で判定(毎秒 {rate} パケット)",
    ),
}

_REMARKS = {
    "replay-mark-zone-inferred": Message(
        en="{count} packets: source zone inferred from the address, no interface known (zone-inferred)",
        ja="{count} パケット: インターフェース不明のため、送信元の領域はアドレスからの推定 (zone-inferred)",
    ),
    "replay-mark-zone-by-address": Message(
        en="{count} packets: source zone as --map says of the address (zone-by-address)",
        ja="{count} パケット: 送信元の領域は --map のアドレス指定による (zone-by-address)",
    ),
    "replay-mark-truncated": Message(
        en="{count} packets: cut short by the capture, headers intact (truncated)",
        ja="{count} パケット: キャプチャ時に切り詰め、ヘッダーは完全 (truncated)",
    ),
    "replay-mark-mid-stream": Message(
        en="{count} packets: of TCP connections whose beginning is not in the capture (mid-stream)",
        ja="{count} パケット: 開始部分がキャプチャにない TCP 接続 (mid-stream)",
    ),
    "replay-mark-fragment": Message(
        en="{count} packets: fragments (fragment)", ja="{count} パケット: フラグメント (fragment)"
    ),
    "replay-mark-orphan-fragment": Message(
        en="{count} packets: fragments without their first one, or overlapping it: denied (orphan-fragment)",
        ja="{count} パケット: 先頭がない、または重なり合うフラグメントのため拒否 (orphan-fragment)",
    ),
    "replay-mark-outbound-copy": Message(
        en="{count} packets: seen leaving by a known interface, judged where they came in (outbound-copy)",
        ja="{count} パケット: 既知のインターフェースから出る側の写し。入る側で判定 (outbound-copy)",
    ),
    "replay-mark-gateway-answer": Message(
        en="{count} packets: the gateway's own answers on redirected connections (gateway-answer)",
        ja="{count} パケット: 中継した接続でのゲートウェイ自身の応答 (gateway-answer)",
    ),
    "replay-mark-vlan": Message(
        en="{count} packets: carried a VLAN tag, which chooses the zone only with --map vlan:N=ZONE (vlan)",
        ja="{count} パケット: VLAN タグ付き。タグで領域を決めるのは --map vlan:番号=領域 のときだけ (vlan)",
    ),
    "replay-mark-checksum-ignored": Message(
        en="{count} packets: IPv4 header checksum wrong or left to the network card, judged all the same (checksum-ignored)",
        ja="{count} パケット: IPv4 ヘッダーのチェックサムが不正または未計算だが、判定を続行 (checksum-ignored)",
    ),
    "replay-anti-spoof": Message(
        en="Anti-spoof: {checked} verdicts checked the source against its interface; {inferred} could not and prove nothing about spoofing",
        ja="なりすまし検査: {checked} 件は送信元をインターフェースと照合。{inferred} 件は照合できず、なりすましがない証拠にはならない",
    ),
    "replay-backwards": Message(
        en="{count} times the clock goes back by more than a second from one packet to the next",
        ja="直前のパケットより1秒を超えて時刻が戻る箇所が {count} か所あります",
    ),
    "replay-evicted": Message(
        en="{count} unanswered connections were forgotten because the table was full",
        ja="接続表が一杯になったため、応答のない接続 {count} 件を破棄しました",
    ),
    "replay-flows-split": Message(
        en="{count} flows are told in parts because too many were open at once",
        ja="同時に続く通信が多すぎたため、{count} 件を分割して記録しました",
    ),
    "replay-exchanges-other": Message(
        en="{count} packets are counted without their ends because there were too many exchanges",
        ja="通信の種類が多すぎたため、{count} パケットは両端を区別せずに集計しました",
    ),
    "replay-audited": Message(
        en="{flow} is in audit mode and would have matched {count} packets",
        ja="監査モードの {flow} に該当するパケットが {count} 個ありました",
    ),
    "replay-map-unused": Message(
        en="--map: nothing in the captures answers to '{interface}'",
        ja="--map: '{interface}' に当たるものはキャプチャにありません",
    ),
}

_RECORDER = {
    "recorder-not-allowed": Message(
        en="cannot open a packet socket: {detail}",
        ja="パケットソケットを開けません: {detail}",
        hint_en="run it as root, or inside the gateway's namespace (masugata lab exec gateway ...)",
        hint_ja="root で実行するか、ゲートウェイの名前空間の中で実行してください(masugata lab exec gateway ...)",
    ),
    "recorder-no-interface": Message(
        en="there is no interface '{interface}' here", ja="インターフェース '{interface}' はここにありません"
    ),
    "recorder-not-ethernet": Message(
        en="the interface '{interface}' is not an Ethernet one",
        ja="インターフェース '{interface}' はイーサネットではありません",
    ),
    "recorder-not-written": Message(
        en="cannot write {file}: {detail}", ja="{file} に書き込めません: {detail}"
    ),
}

_PAGE = {
    "page-title": Message(en="Replay under policy {policy}", ja="リプレイ結果: ポリシー {policy}"),
    "page-window": Message(en="Observed", ja="観測期間"),
    "page-tz": Message(en="({zone})", ja="({zone})"),
    "page-files": Message(en="captures: {count}", ja="キャプチャ {count} 個"),
    "page-engine": Message(en="Engine {engine}", ja="エンジン {engine}"),
    "page-revision": Message(en="Policy revision", ja="ポリシーのリビジョン"),
    "page-tile-packets": Message(en="packets", ja="パケット"),
    "page-tile-flows": Message(en="flows seen", ja="通信(開始数)"),
    "page-tile-hosts": Message(en="hosts seen", ja="観測したホスト"),
    "page-share": Message(en="Packets by outcome", ja="判定結果ごとのパケット"),
    "page-outcome-allow": Message(en="allowed", ja="許可"),
    "page-outcome-deny": Message(en="refused", ja="拒否"),
    "page-outcome-sanitize-mail": Message(en="to mail sanitizer", ja="メール無害化へ"),
    "page-outcome-sanitize-web": Message(en="to web sanitizer", ja="Web 無害化へ"),
    "page-outcome-unparsed": Message(en="not judged", ja="判定せず"),
    "page-warn-unreadable": Message(
        en="{file} is no capture and is not in these numbers",
        ja="{file} はキャプチャではなく、この集計に含まれていません",
    ),
    "page-timeline": Message(en="Timeline", ja="時間推移"),
    "page-chart-all": Message(en="All packets", ja="全パケット"),
    "page-chart-denied": Message(
        en="Refused packets, to a scale of their own", ja="拒否されたパケット(独自の目盛り)"
    ),
    "page-chart-most": Message(
        en="highest bar: {count} packets in {span}", ja="最大: {span}で {count} パケット"
    ),
    "page-chart-gap": Message(
        en="nothing captured for a long time from {time}", ja="{time} から長時間キャプチャなし"
    ),
    "page-span-day": Message(en="{count} d", ja="{count} 日"),
    "page-span-hour": Message(en="{count} h", ja="{count} 時間"),
    "page-span-minute": Message(en="{count} min", ja="{count} 分"),
    "page-span-second": Message(en="{count} s", ja="{count} 秒"),
    "page-matrix": Message(en="Who spoke to whom", ja="領域間の通信"),
    "page-matrix-note": Message(
        en="Packets by the zone where the exchange began (rows) and the one it went to (columns), answers included. Blue: packets passed; red: all were refused. Choose a cell to see its main exchanges, refused ones first.",
        ja="通信を始めた側の領域(行)と相手の領域(列)ごとのパケット数(応答を含む)。青は通過あり、赤はすべて拒否。マスを選ぶと主な通信を、拒否されたものから順に表示します。",
    ),
    "page-matrix-corner": Message(en="from ↓ to →", ja="発信 ↓ 宛先 →"),
    "page-refused": Message(en="{count} refused", ja="拒否 {count}"),
    "page-flows": Message(en="flows: {count}", ja="{count} 件"),
    "page-other": Message(en="exchanges beyond the limit of the table", ja="表の上限を超えた通信"),
    "page-changes": Message(en="What would change", ja="何が変わるか"),
    "page-denied": Message(en="Refused most", ja="拒否の多い通信"),
    "page-denied-note": Message(
        en="By packets. What was refused only because the beginning of its connection was refused counts with that beginning.",
        ja="パケット数の順。接続の開始が拒否されたために拒否された後続パケットは、その開始に含めて数えています。",
    ),
    "page-denied-more": Message(
        en="{count} more refused exchanges are in the table below.",
        ja="ほか {count} 件の拒否された通信は下の表にあります。",
    ),
    "page-first": Message(en="first packet {place}", ja="最初のパケット {place}"),
    "page-do": Message(en="What to do:", ja="対処:"),
    "page-unused": Message(en="Flows nobody used", ja="使われなかったフロー"),
    "page-unused-note": Message(
        en="{count} of {total} flows decided no packet between {first} and {last}. That speaks of this time only: what is needed at the end of the year is not seen in May. Ask the owner before removing one.",
        ja="許可フロー {total} 件のうち {count} 件は、{first} から {last} までの間、どのパケットの判定にも使われませんでした。この期間についてだけ言えることです(年度末だけの通信は 5 月には現れません)。削除の前に管理者へ確認してください。",
    ),
    "page-column-flow": Message(en="flow", ja="フロー"),
    "page-column-ends": Message(en="from → to", ja="送信元 → 宛先"),
    "page-column-services": Message(en="services", ja="サービス"),
    "page-column-action": Message(en="action", ja="動作"),
    "page-column-owner": Message(en="owner", ja="管理者"),
    "page-column-expires": Message(en="expires", ja="期限"),
    "page-exchanges": Message(en="All exchanges", ja="すべての通信"),
    "page-exchanges-cut": Message(
        en="The {shown} with most packets, of {count}.",
        ja="{count} 件のうち、パケット数の多い {shown} 件を表示。",
    ),
    "page-filter": Message(
        en="Filter: address, host, zone, flow, reason …",
        ja="絞り込み: アドレス、ホスト、領域、フロー、理由 …",
    ),
    "page-unread": Message(
        en="Not judged, and judged with a mark", ja="判定できなかったもの・注記付きの判定"
    ),
    "page-footer": Message(
        en="masugata · engine {engine} · policy revision {revision} · this page needs nothing from elsewhere and sends nothing",
        ja="masugata · エンジン {engine} · ポリシーのリビジョン {revision} · このページは外部と一切通信しません",
    ),
}

_CURES = {
    "replay-cure-flow": Message(
        en="{flow} refuses this on purpose. If it is needed after all, its owner narrows that flow.",
        ja="フロー {flow} が意図して拒否しています。必要な通信なら、管理者がこのフローの範囲を狭めてください。",
    ),
    "replay-cure-guard": Message(
        en="Guard {flow} closes this direction for good. Find out which program tries, and stop it there; a flow would not open it.",
        ja="ガード {flow} がこの方向を恒久的に閉じています。フローを足しても開きません。送信元で何が通信を試みているかを突き止めて止めてください。",
    ),
    "replay-cure-default-deny": Message(
        en="No flow allows it. If it is needed, write a flow with owner and end; if not, stop it at its source. masugata explain shows which flow comes nearest.",
        ja="許可するフローがありません。必要なら管理者と期限を付けてフローを追加し、不要なら送信元で止めてください。最も近いフローは masugata explain で分かります。",
    ),
    "replay-cure-would-deny": Message(
        en="It passes only until audit_until ends: write a flow by then, or let it end.",
        ja="通過するのは audit_until までです。それまでにフローを追加するか、終わらせてください。",
    ),
    "replay-cure-expired": Message(
        en="{flow} has expired. Its owner renews it with a new end, or the traffic is stopped.",
        ja="フロー {flow} は期限切れです。管理者が期限を更新するか、通信を止めてください。",
    ),
    "replay-cure-outside-hours": Message(
        en="{flow} allows it at other hours. Move the job into them, or have the owner widen `when`.",
        ja="フロー {flow} の時間帯の外です。処理をその時間帯に移すか、管理者が when を広げてください。",
    ),
    "replay-cure-needs-approval": Message(
        en="{flow} opens after an approval. Ask for one before the work begins.",
        ja="フロー {flow} は承認後に開きます。作業の前に承認を得てください。",
    ),
    "replay-cure-unknown-zone": Message(
        en="One of the addresses belongs to no zone. If it is one of yours, add its network to a zone; if not, find the host that uses it.",
        ja="どの領域にも属さないアドレスです。庁内のものなら領域に networks を追加し、そうでなければ使っているホストを探してください。",
    ),
    "replay-cure-spoofed-source": Message(
        en="The source address does not belong behind that interface. Look at the host there: a wrong cable or address, or somebody who pretends.",
        ja="このインターフェースの先にあるはずのない送信元アドレスです。配線・アドレスの誤りか、なりすましの疑いがあります。その先のホストを調べてください。",
    ),
    "replay-cure-misrouted": Message(
        en="It would leave by another zone's interface, or is for our address on another segment. Look at the sender's routes.",
        ja="別の領域のインターフェースから出るか、別セグメント側の自アドレス宛です。送信側の経路設定を確認してください。",
    ),
    "replay-cure-malformed": Message(
        en="It cannot be read as what it says it is. Look at the packet in the capture.",
        ja="形式が壊れています。キャプチャで該当パケットを確認してください。",
    ),
    "replay-cure-invalid-state": Message(
        en="No beginning of this connection was seen. At the start of a capture that is normal; later on, look for an asymmetric route or a scan.",
        ja="接続の開始が見えていません。キャプチャの冒頭では普通のことです。途中なら、行きと帰りで経路が違うか、スキャンを疑ってください。",
    ),
    "replay-cure-use-render": Message(
        en="{flow} lets people reach this as a screen only. Use the screen transfer.",
        ja="フロー {flow} により、画面転送でだけ使えます。画面転送を使ってください。",
    ),
    "replay-cure-use-portal": Message(
        en="{flow} lets files cross by the portal only. Use the file portal.",
        ja="フロー {flow} により、ファイルの受け渡しはポータル経由だけです。ポータルを使ってください。",
    ),
    "replay-cure-no-proxy": Message(
        en="{flow} allows this by name only, and no proxy serves names yet.",
        ja="フロー {flow} はドメイン名でだけ許可しており、名前を扱うプロキシがまだありません。",
    ),
    "replay-cure-management": Message(
        en="The management segment is never forwarded. Administer from inside it.",
        ja="管理セグメントとの間は中継しません。管理作業はそのセグメントの中から行ってください。",
    ),
    "replay-cure-limit": Message(
        en="The table of connections was full. Look for a scan or a flood from this source.",
        ja="接続表が一杯でした。この送信元からのスキャンや大量送信がないか調べてください。",
    ),
}

for _table in (_OPTIONS, _ERRORS, _RECORDER, _TROUBLES, _REPORT, _REMARKS, _PAGE, _CURES):
    declare(_table)
