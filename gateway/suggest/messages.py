"""The words of `masugata suggest`, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "verb-suggest": Message(
            en="propose the flows that traffic needs, and no more",
            ja="通信の記録から、必要最小限のフローを提案する",
        ),
        "suggest-help": Message(
            en="Replay captures against a policy and propose flows for what only the default refused: exactly what was seen, merged where nothing more is opened by it, tried in the policy and proved before they are shown. What would break an invariant, a guard or a test is refused; scans, spoofed and single exchanges are listed and not proposed. Nothing is written without --patch or --write. Exit code 0: nothing to propose; 1: proposals or refusals (or a capture that could not be read to its end); 2: the policy, an option or a capture cannot be used.",
            ja="キャプチャをポリシーで再判定し、既定により拒否されただけの通信についてフローを提案します。見えた通信だけを許し、余分に開かない範囲でまとめ、ポリシーに入れて証明してから示します。不変条件・ガード・テストを破るものは却下し、走査・詐称・一度きりの通信は一覧に示すだけで提案しません。--patch か --write がなければ何も書き込みません。終了コード 0: 提案なし、1: 提案か却下あり(または最後まで読めないキャプチャ)、2: ポリシー・オプション・キャプチャが使えない。",
        ),
        "option-suggest-policy": Message(
            en="the policy: a file or a directory", ja="ポリシー(ファイルまたはディレクトリ)"
        ),
        "option-suggest-flows": Message(
            en="also show what open flows were really used for, and which were not",
            ja="開いているフローの実際の使われ方と、使われなかったフローも示す",
        ),
        "option-suggest-patch": Message(
            en="write the proposals as a patch to the policy's files",
            ja="提案をポリシーファイルへのパッチとして書き出す",
        ),
        "option-suggest-write": Message(
            en="put the proposals into the policy's files, if the result passes check",
            ja="結果が check に合格するなら、提案をポリシーファイルに書き込む",
        ),
        "option-suggest-accept": Message(
            en="only these proposals go into the patch or the files (repeat, or separate by commas)",
            ja="パッチやファイルに入れる提案を絞る(繰り返すか、コンマで区切る)",
        ),
        "option-suggest-min-connections": Message(
            en="fewer connections to one service of a host are a single event, not a need",
            ja="一つのサービスへの接続がこれより少なければ、一度きりとみなす",
        ),
        "option-suggest-since": Message(
            en="only what began at this moment or later", ja="この時刻以降に始まった通信だけ"
        ),
        "option-suggest-until": Message(
            en="only what began before this moment", ja="この時刻より前に始まった通信だけ"
        ),
        "option-suggest-zone-pair": Message(
            en="propose only from zone A to zone B (repeat for more)",
            ja="領域 A から B への通信だけを提案する(繰り返し可)",
        ),
        "option-suggest-limit": Message(en="show at most so many of each list", ja="各一覧に示す件数の上限"),
        "option-suggest-expires": Message(
            en="last day of the proposed flows (default: a year from now)",
            ja="提案するフローの期限(既定は一年後)",
        ),
        "option-suggest-now": Message(
            en="judge and prove as of this date instead of each packet's own time and today",
            ja="パケットの時刻と今日の代わりに、この日時で判定し証明する",
        ),
        # --- what goes into the policy ---
        "suggest-justification": Message(
            en="seen {connections} times from {first} to {last}, first {place}; purpose to be confirmed",
            ja="{first} から {last} までに {connections} 回の通信を確認(最初は {place})。用途は要確認",
        ),
        "suggest-fill-owner": Message(en="to do: who answers for it", ja="要記入: 所管課"),
        "suggest-fill-ticket": Message(en="to do: where it was decided", ja="要記入: 決裁・申請の番号"),
        "suggest-name-it": Message(en="to do: name this machine", ja="要記入: 機器の名前と用途"),
        # --- the report ---
        "suggest-window": Message(
            en="Observed: {first} to {last} UTC, {packets} packets (policy {name}, revision {revision}, engine {engine})",
            ja="観測期間: {first} から {last} (UTC)、{packets} パケット(ポリシー {name}、改版 {revision}、エンジン {engine})",
        ),
        "suggest-window-empty": Message(
            en="Observed: no packet in this window (policy {name}, revision {revision}, engine {engine})",
            ja="観測期間: この期間にパケットがありません(ポリシー {name}、改版 {revision}、エンジン {engine})",
        ),
        "suggest-gap": Message(
            en="  nothing seen from {first} to {last} ({minutes} min)",
            ja="  {first} から {last} は何も観測されていません({minutes} 分)",
        ),
        "suggest-gaps-more": Message(en="  and {count} gaps more", ja="  ほかに {count} 回の空白"),
        "suggest-title-proposals": Message(en="Proposals", ja="提案"),
        "suggest-title-refused": Message(
            en="Refused: these would break what the policy promises", ja="却下: ポリシーの約束を破るもの"
        ),
        "suggest-title-notes": Message(en="A flow exists already", ja="フローはすでにあるもの"),
        "suggest-title-aside": Message(en="Not proposed", ja="提案しないもの"),
        "suggest-title-wide": Message(en="Open wider than used", ja="使われた範囲より広く開いているフロー"),
        "suggest-title-unused": Message(
            en="Open and not used in this window", ja="この期間に使われなかったフロー"
        ),
        "suggest-column-id": Message(en="id", ja="番号"),
        "suggest-column-from": Message(en="from", ja="送信元"),
        "suggest-column-to": Message(en="to", ja="宛先"),
        "suggest-column-service": Message(en="service", ja="サービス"),
        "suggest-column-action": Message(en="action", ja="動作"),
        "suggest-column-connections": Message(en="connections", ja="接続"),
        "suggest-column-bits": Message(en="excess", ja="過剰許可"),
        "suggest-column-confidence": Message(en="confidence", ja="確度"),
        "suggest-column-why": Message(en="why", ja="理由"),
        "suggest-column-exchanges": Message(en="exchanges", ja="通信"),
        "suggest-column-example": Message(en="example", ja="例"),
        "suggest-column-first": Message(en="first packet", ja="最初のパケット"),
        "suggest-column-flow": Message(en="flow", ja="フロー"),
        "suggest-column-used": Message(en="what was used", ja="使われた範囲"),
        "suggest-bits": Message(en="{bits} bits", ja="{bits} ビット"),
        "suggest-confidence-strong": Message(en="strong", ja="高"),
        "suggest-confidence-fair": Message(en="fair", ja="中"),
        "suggest-confidence-weak": Message(en="weak", ja="低"),
        "suggest-evidence": Message(
            en="{id}: {connections} connections ({answered} answered) from {sources} sources, {packets} packets, {bytes}; {first} to {last}; first packets {places}",
            ja="{id}: 接続 {connections} 回(応答あり {answered} 回)、送信元 {sources} 台、{packets} パケット、{bytes}。{first} から {last}。最初のパケット {places}",
        ),
        "suggest-new-host": Message(en="  new host {name}: {address}", ja="  新しい機器 {name}: {address}"),
        "suggest-new-group": Message(
            en="  new group {name}: {networks}", ja="  新しいグループ {name}: {networks}"
        ),
        "suggest-option": Message(
            en="  wider, if you know that it is meant: {field}: {name} ({seen} of {of} seen, {bits} bits)",
            ja="  広げる場合(意図を確かめたうえで): {field}: {name} ({of} 中 {seen} を確認、{bits} ビット)",
        ),
        "suggest-other-action": Message(
            en="  direct traffic stays refused: users take the way of {action}",
            ja="  直接の通信は拒否のままです。利用者は {action} の経路を使います",
        ),
        "suggest-assumes": Message(
            en="with the proposals, the proof of {invariant} also takes for granted: {assumption}",
            ja="提案を加えると、{invariant} の証明は次も前提とします: {assumption}",
        ),
        "suggest-refused-guard": Message(
            en="{id}: {flow}: guard {by} lets nothing open it: {because}; packet {packet}",
            ja="{id}: {flow}: ガード {by} が開くことを許しません: {because}。パケット {packet}",
        ),
        "suggest-refused-invariant": Message(
            en="{id}: {flow}: it would break invariant {by}: {because}",
            ja="{id}: {flow}: 不変条件 {by} が破れます: {because}",
        ),
        "suggest-refused-test": Message(
            en="{id}: {flow}: a test of the policy would fail: {by}",
            ja="{id}: {flow}: ポリシーのテストが失敗します: {by}",
        ),
        "suggest-refused-policy": Message(
            en="{id}: {flow}: the policy could not be loaded with it: {by}",
            ja="{id}: {flow}: 加えるとポリシーを読み込めません: {by}",
        ),
        "suggest-refused-verdict": Message(
            en="{id}: {flow}: its packets would still not get this answer: {by}",
            ja="{id}: {flow}: 加えてもこの判定になりません: {by}",
        ),
        "suggest-refused-together": Message(
            en="  by itself it would hold, but not beside the proposals above",
            ja="  単独なら成り立ちますが、上の提案と合わせると成り立ちません",
        ),
        "suggest-clauses": Message(en="  clauses: {clauses}", ja="  条文: {clauses}"),
        "suggest-unproved": Message(
            en="invariants that do not hold as it is, so nothing was held against them: {ids}",
            ja="現状で成り立たない不変条件があり、提案をそれらに照らしていません: {ids}",
            hint_en="masugata verify shows how they are broken",
            hint_ja="masugata verify で破れ方を確認してください",
        ),
        "suggest-no-room": Message(
            en="{count} flows found no room ({limit} different exchanges are kept): narrow with --since, --until",
            ja="{count} フローは数えきれませんでした(保持は {limit} 種類まで)。--since、--until で絞ってください",
        ),
        "suggest-more": Message(en="… and {count} more (--limit)", ja="… ほかに {count} 件(--limit)"),
        "suggest-summary": Message(
            en="{proposals} proposals, {refused} refused, {notes} with a flow already, {aside} not proposed",
            ja="提案 {proposals} 件、却下 {refused} 件、フローあり {notes} 件、提案しないもの {aside} 件",
        ),
        "suggest-summary-flows": Message(
            en="{used} flows used ({wide} open wider than that), {unused} not used",
            ja="使われたフロー {used} 件(うち広すぎるもの {wide} 件)、使われなかったもの {unused} 件",
        ),
        "suggest-patch-written": Message(
            en="{count} flows in {path}; apply with: patch -p0 -d {folder} < {path}",
            ja="{path} に {count} フローを書き出しました。適用: patch -p0 -d {folder} < {path}",
        ),
        "suggest-files-written": Message(
            en="{count} flows written to {files}; masugata lint says what is still to fill in",
            ja="{files} に {count} フローを書き込みました。未記入の項目は masugata lint が示します",
        ),
        "suggest-nothing-written": Message(en="nothing to write", ja="書き込むものはありません"),
        # --- why not ---
        "suggest-why-expired": Message(en="flow {detail} has expired", ja="フロー {detail} は期限切れ"),
        "suggest-why-outside-hours": Message(
            en="outside the hours of flow {detail}", ja="フロー {detail} の時間外"
        ),
        "suggest-why-needs-approval": Message(
            en="flow {detail} needs an approval", ja="フロー {detail} は承認が必要"
        ),
        "suggest-why-other-way": Message(
            en="flow {detail} has another way for it", ja="フロー {detail} の別の経路がある"
        ),
        "suggest-why-in-audit": Message(
            en="flow {detail} is tried out in audit mode", ja="フロー {detail} を監査モードで試行中"
        ),
        "suggest-why-switched-off": Message(
            en="flow {detail} is switched off", ja="フロー {detail} は無効にされている"
        ),
        "suggest-why-denied-by-flow": Message(
            en="flow {detail} denies it on purpose", ja="フロー {detail} が意図して拒否"
        ),
        "suggest-why-spoofed": Message(en="spoofed source", ja="送信元の詐称"),
        "suggest-why-invalid-state": Message(
            en="malformed, or of no connection", ja="不正な形式、または接続に属さない"
        ),
        "suggest-why-mid-stream": Message(en="its beginning was not captured", ja="始まりが記録されていない"),
        "suggest-why-no-zone": Message(
            en="no zone, the management segment, or our own address on another segment",
            ja="領域なし、管理セグメント、または別セグメントの自身のアドレス",
        ),
        "suggest-why-limit": Message(en="over a limit", ja="上限を超過"),
        "suggest-why-icmp-message": Message(
            en="an ICMP message that lives with its connection", ja="接続に伴うICMP通知"
        ),
        "suggest-why-broadcast": Message(en="broadcast", ja="ブロードキャスト"),
        "suggest-why-scan-ports": Message(
            en="port scan: many ports of one host", ja="ポート走査(一台の多数のポート)"
        ),
        "suggest-why-scan-hosts": Message(
            en="scan: one port of many hosts", ja="ホスト走査(多数の機器の同じポート)"
        ),
        "suggest-why-dynamic-port": Message(
            en="a port that changes each time ({detail})", ja="毎回変わるポート({detail})"
        ),
        "suggest-why-one-off": Message(en="a single event", ja="一度きり"),
        "suggest-why-crowd": Message(
            en="too many addresses of {detail} to list", ja="列挙するには多すぎる {detail} のアドレス"
        ),
        "suggest-why-served": Message(
            en="the gateway's own half of flow {detail}", ja="フロー {detail} のゲートウェイ側"
        ),
        # --- errors ---
        "suggest-zone-pair-syntax": Message(
            en="'{entry}' is not a pair of zones",
            ja="'{entry}' は領域の組ではありません",
            hint_en="write --zone-pair FROM:TO with zones of the policy: {zones}",
            hint_ja="--zone-pair 送信元:宛先 の形で、ポリシーの領域を書いてください: {zones}",
        ),
        "suggest-unknown-id": Message(
            en="there is no proposal '{id}'",
            ja="提案 '{id}' はありません",
            hint_en="the proposals are: {known}",
            hint_ja="提案の番号: {known}",
        ),
        "suggest-bad-date": Message(
            en="'{text}' is not a date",
            ja="'{text}' は日付ではありません",
            hint_en="write a day as 2027-03-31",
            hint_ja="2027-03-31 の形で書いてください",
        ),
        "suggest-not-inserted": Message(
            en="nothing can be inserted into {file} as it is written",
            ja="{file} の書き方のままでは挿入できません",
            hint_en="masugata fmt {file} writes it in a form that can be extended; an empty section is to be taken out",
            hint_ja="masugata fmt {file} で書き方を整えてください。空の節は取り除いてください",
        ),
        "suggest-not-written": Message(
            en="not written: the policy with the proposals does not pass check ({what})",
            ja="書き込みません: 提案を加えたポリシーが check に合格しません({what})",
            hint_en="masugata check and masugata verify say what does not hold already now",
            hint_ja="現状の問題は masugata check と masugata verify で確認してください",
        ),
        "suggest-policy-changed": Message(
            en="{file} has changed meanwhile; nothing was written",
            ja="{file} がその間に変わったため、何も書き込みませんでした",
            hint_en="run suggest again",
            hint_ja="もう一度実行してください",
        ),
        "suggest-path": Message(
            en="{path} cannot be named in a patch",
            ja="{path} はパッチに書けない名前です",
            hint_en="give the file a name without control characters",
            hint_ja="制御文字を含まないファイル名にしてください",
        ),
        "suggest-unwritable": Message(
            en="cannot write {path}: {detail}",
            ja="{path} に書き込めません: {detail}",
            hint_en="check that the folder exists and that you may write there",
            hint_ja="フォルダーの有無と書き込み権限を確認してください",
        ),
    }
)
