"""The words of replay, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

_OPTIONS = {
    "replay-help": Message(
        en="Judge every packet of capture files (pcap, pcapng, gzipped or not; - is standard input) by a policy.",
        ja="キャプチャファイル(pcap・pcapng、gzip 圧縮も可。- は標準入力)の全パケットをポリシーで判定します。",
    ),
    "option-replay-policy": Message(
        en="policy file or directory (or MASUGATA_POLICY)",
        ja="ポリシーのファイルまたはディレクトリ(環境変数 MASUGATA_POLICY でも可)",
    ),
    "option-replay-map": Message(
        en="zone behind a captured interface, by name, number or * (repeatable)",
        ja="キャプチャのインターフェース(名前・番号・*)が属する領域(複数指定可)",
    ),
    "option-replay-engine": Message(en="which engine judges", ja="判定に使うエンジン"),
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
        hint_en="pcap and pcapng are read, gzipped or not; convert others with: editcap -F pcapng IN OUT",
        hint_ja="読めるのは pcap と pcapng(gzip 圧縮も可)です。他の形式は editcap -F pcapng 入力 出力 で変換してください",
    ),
    "engine-unavailable": Message(
        en="the engine '{engine}' is not in this installation (there are: {engines})",
        ja="エンジン '{engine}' はこの環境にありません(利用可能: {engines})",
        hint_en="choose another with --engine; nothing falls back silently",
        hint_ja="--engine で別のエンジンを選んでください。黙って代替することはありません",
    ),
    "replay-map-syntax": Message(
        en="--map {entry} is not of the form INTERFACE=ZONE",
        ja="--map {entry} は インターフェース=領域 の形ではありません",
        hint_en="for example --map mn0=mynumber, --map 0=lgwan, or --map '*=outside'",
        hint_ja="例: --map mn0=mynumber、--map 0=lgwan、--map '*=outside'",
    ),
    "replay-map-zone": Message(
        en="--map {entry}: the policy has no zone '{zone}' (it has: {zones})",
        ja="--map {entry}: ポリシーに領域 '{zone}' はありません(あるのは {zones})",
    ),
    "replay-map-twice": Message(
        en="--map {entry}: the interface '{interface}' is mapped to another zone already",
        ja="--map {entry}: インターフェース '{interface}' は既に別の領域に割り当てられています",
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
        en="{count} packets: carried a VLAN tag, which does not choose the zone here (vlan)",
        ja="{count} パケット: VLAN タグ付き。ここではタグで領域を決めない (vlan)",
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
    "replay-map-unused": Message(
        en="--map: no interface of the captures is called '{interface}'",
        ja="--map: '{interface}' という名前のインターフェースはキャプチャにありません",
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

for _table in (_OPTIONS, _ERRORS, _RECORDER, _TROUBLES, _REPORT, _REMARKS):
    declare(_table)
