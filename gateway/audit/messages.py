"""The words of the audit log, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

_RESTART_EN = "the gateway refuses what needs an audit event until the recorder can write again: free or repair the disk, then restart"
_RESTART_JA = "記録係が書けるようになるまで、監査記録の要る通信は拒否されます。ディスクを空けるか修理してから再起動してください"

declare(
    {
        # errors
        "audit-gateway-id": Message(
            en="'{gateway}' cannot be a gateway id",
            ja="'{gateway}' はゲートウェイIDに使えません",
            hint_en="use letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit",
            hint_ja="英数字と '.' '_' '-' で63文字以内、先頭は英数字にしてください",
        ),
        "audit-no-directory": Message(
            en="there is no audit directory {directory}",
            ja="監査ログのディレクトリ {directory} がありません",
            hint_en="give the directory named in gateway.yaml",
            hint_ja="gateway.yaml に書いたディレクトリを指定してください",
        ),
        "audit-unknown-kind": Message(
            en="'{kind}' is no kind of event",
            ja="'{kind}' という種類のイベントはありません",
            hint_en="the kinds are: {known}",
            hint_ja="種類は次のとおりです: {known}",
        ),
        "audit-bad-anchor": Message(
            en="'{anchor}' is not an anchor",
            ja="'{anchor}' は控え(アンカー)の形式ではありません",
            hint_en="an anchor is what 'masugata audit verify' prints as the head: boot:seq:hash",
            hint_ja="控えは 'masugata audit verify' が末端として表示する boot:seq:hash です",
        ),
        "audit-unreadable": Message(
            en="cannot read {path}: {detail}",
            ja="{path} を読めません: {detail}",
            hint_en="audit files belong to the gateway's user: read them as that user",
            hint_ja="監査ログはゲートウェイの利用者の所有です。その利用者で読んでください",
        ),
        "audit-cannot-open": Message(
            en="the audit log cannot be begun: {path}: {detail}",
            ja="監査ログを開始できません: {path}: {detail}",
            hint_en="the directory must be writable by the gateway's user and its disk must have room",
            hint_ja="ディレクトリをゲートウェイの利用者が書けるようにし、ディスクの空きを確かめてください",
        ),
        "audit-directory-in-use": Message(
            en="another recorder is writing in {directory}",
            ja="別の記録係が {directory} に書き込み中です",
            hint_en="stop the other gateway, or give this one a directory of its own",
            hint_ja="もう一方のゲートウェイを止めるか、別のディレクトリを指定してください",
        ),
        "audit-log-broken": Message(
            en="the audit log {path} cannot be written any more: {detail}",
            ja="監査ログ {path} に書き込めなくなりました: {detail}",
            hint_en=_RESTART_EN,
            hint_ja=_RESTART_JA,
        ),
        "audit-socket": Message(
            en="the recorder cannot listen on {path}: {detail}",
            ja="記録係が {path} で待ち受けできません: {detail}",
            hint_en="give a short path in a directory the gateway may write",
            hint_ja="ゲートウェイが書けるディレクトリの短いパスを指定してください",
        ),
        "audit-unavailable": Message(
            en="the event was not recorded ({path}): {detail}",
            ja="監査記録を残せませんでした ({path}): {detail}",
            hint_en="see why the recorder does not answer: masugata status, and its last line on stderr",
            hint_ja="記録係が応答しない理由を、masugata status と標準エラー出力の最終行で確かめてください",
        ),
        # findings of verify
        "audit-unreadable-line": Message(
            en="not an audit event in canonical form", ja="正規形の監査イベントではありません"
        ),
        "audit-foreign-line": Message(
            en="an event of another file ({gateway}, boot {boot})",
            ja="別のファイルのイベントです ({gateway}、起動 {boot})",
        ),
        "audit-altered-line": Message(
            en="event {seq} does not follow from the line before: one of the two was altered",
            ja="イベント {seq} が直前の行と連鎖しません。どちらかが改変されています",
        ),
        "audit-missing-lines": Message(
            en="{count} line(s) missing before event {seq}",
            ja="イベント {seq} の前で {count} 行が欠けています",
        ),
        "audit-duplicated-line": Message(
            en="event {seq} stands here a second time", ja="イベント {seq} が重複しています"
        ),
        "audit-reordered-line": Message(
            en="event {seq} stands after event {after}", ja="イベント {seq} がイベント {after} の後にあります"
        ),
        "audit-line-after-stop": Message(
            en="event {seq} stands after the end of the boot",
            ja="イベント {seq} が停止イベントの後にあります",
        ),
        "audit-start-misplaced": Message(
            en="event {seq}: only the first event is 'start'",
            ja="イベント {seq}: 'start' は最初のイベントでなければなりません",
        ),
        "audit-more-findings": Message(
            en="{count} more findings in this file", ja="このファイルには他に {count} 件の問題があります"
        ),
        "audit-second-beginning": Message(
            en="a second beginning: this boot seals none before it",
            ja="始まりが二つあります。この起動は前の起動を封印していません",
        ),
        "audit-fork": Message(
            en="boot {boot} is sealed twice, here and in {other}",
            ja="起動 {boot} が二度封印されています (ここと {other})",
        ),
        "audit-missing-file": Message(
            en="the file of boot {boot}, which this one seals, is not here",
            ja="このファイルが封印した起動 {boot} のファイルがありません",
            hint_en="if it was archived, verify it together with these",
            hint_ja="保管庫に移した場合は、一緒に置いて検証してください",
        ),
        "audit-unsealed": Message(
            en="no later boot seals the end of this file: the one that did is gone",
            ja="このファイルの末端を封印した後続の起動がありません。削除された疑いがあります",
        ),
        "audit-end-cut": Message(
            en="the end was cut: it stops at event {seq}; boot {boot} saw event {sealed}",
            ja="末尾が切り取られています: イベント {seq} で終わっていますが、起動 {boot} は {sealed} まで確認しています",
        ),
        "audit-end-added": Message(
            en="lines were added: boot {boot} saw it end at event {sealed}, now it goes to {seq}",
            ja="行が追加されています: 起動 {boot} の確認では {sealed} が末尾でしたが、今は {seq} まであります",
        ),
        "audit-end-altered": Message(
            en="the last event ({seq}) is not the one that boot {boot} saw",
            ja="最後のイベント ({seq}) が、起動 {boot} の確認したものと違います",
        ),
        "audit-torn-altered": Message(
            en="the half-written last line is not the one that boot {boot} saw",
            ja="書きかけの最終行が、起動 {boot} の確認したものと違います",
        ),
        "audit-torn-sealed": Message(
            en="a crash left the last line half-written ({bytes} bytes); the next boot sealed it as it was",
            ja="異常終了により最終行が書きかけです ({bytes} バイト)。次の起動がそのまま封印しました",
        ),
        "audit-torn-end": Message(
            en="the last line is half-written ({bytes} bytes): being written now, or left so by a crash",
            ja="最終行が書きかけです ({bytes} バイト)。書き込み中か、異常終了の跡です",
        ),
        "audit-boot-crashed": Message(
            en="this boot ended without 'stop': the recorder was killed or crashed; events on their way were lost",
            ja="'stop' なしで終わっています。記録係が強制終了または異常終了し、届く途中のイベントは失われました",
        ),
        "audit-open-end": Message(
            en="no 'stop' at the end: the recorder is running, has crashed, or the end was cut",
            ja="末尾に 'stop' がありません。記録係が動作中か、異常終了したか、末尾が切り取られています",
        ),
        "audit-stillborn": Message(
            en="holds no event: the recorder died while beginning it",
            ja="イベントがありません。開始の途中で記録係が終了しました",
        ),
        "audit-foreign-file": Message(en="not an audit file; ignored", ja="監査ログではないため無視しました"),
        "audit-empty": Message(
            en="no audit files here: there never were any, or all were taken away",
            ja="監査ログのファイルがありません。まだ一度も記録されていないか、すべて取り除かれています",
        ),
        "audit-anchor-file-missing": Message(
            en="the anchor names boot {boot}, whose file is not here",
            ja="控えにある起動 {boot} のファイルがありません",
        ),
        "audit-anchor-cut": Message(
            en="the end was cut: the anchor is event {seq}, the file ends at {end}",
            ja="末尾が切り取られています: 控えはイベント {seq} ですが、ファイルは {end} で終わっています",
        ),
        "audit-anchor-rewritten": Message(
            en="event {seq} is not the one of the anchor: the file was rewritten",
            ja="イベント {seq} が控えと違います。ファイルが書き直されています",
        ),
        "audit-severity-notice": Message(en="notice", ja="注意"),
        # what the verbs say
        "audit-sound": Message(
            en="{files} file(s), {events} event(s): nothing altered, missing, reordered or duplicated",
            ja="{files} ファイル、{events} 件: 改変・欠落・順序の入れ替え・重複はありません",
        ),
        "audit-unsound": Message(
            en="{files} file(s), {events} event(s): {errors} finding(s)",
            ja="{files} ファイル、{events} 件: 問題 {errors} 件",
        ),
        "audit-head": Message(en="head: {head}", ja="末端: {head}"),
        "audit-not-anchored": Message(
            en="not seen without an anchor: a cut end of the newest file, or a rewrite of everything. "
            "Note the head elsewhere and give it back with --anchor.",
            ja="控えなしでは、最新ファイルの末尾の切り取りと全体の書き直しは検出できません。"
            "末端を別の場所に控え、--anchor で渡してください。",
        ),
        "audit-anchor-held": Message(
            en="the anchor holds: nothing up to it was cut or rewritten; what came after it is not anchored",
            ja="控えと一致します。控えまでの切り取り・書き直しはありません(それ以後は控えの対象外)",
        ),
        "audit-line-skipped": Message(
            en="{file}:{line}: not an audit event, skipped (see masugata audit verify)",
            ja="{file}:{line}: 監査イベントではないため飛ばしました (masugata audit verify を参照)",
        ),
        "audit-found": Message(en="{count} event(s)", ja="{count} 件"),
        "audit-help": Message(en="read and verify the audit log", ja="監査ログを読み、検証する"),
        "audit-verify-help": Message(
            en="find every altered, missing, reordered or duplicated line",
            ja="改変・欠落・入れ替え・重複した行をすべて探す",
        ),
        "audit-tail-help": Message(en="show the newest events", ja="最新のイベントを表示する"),
        "audit-search-help": Message(en="show the events that match", ja="条件に合うイベントを表示する"),
        "audit-option-anchor": Message(
            en="a head noted down elsewhere: boot:seq:hash", ja="別の場所に控えた末端: boot:seq:hash"
        ),
        "audit-option-lines": Message(en="how many events", ja="表示する件数"),
        "audit-option-follow": Message(en="go on as events come", ja="続きを待って表示する"),
        "audit-option-kind": Message(en="only this kind (may be repeated)", ja="この種類だけ(複数指定可)"),
        "audit-option-reason": Message(en="only this reason", ja="この理由だけ"),
        "audit-option-outcome": Message(en="only this outcome", ja="この判定だけ"),
        "audit-option-by": Message(
            en="only what this flow or guard decided", ja="このフローまたはガードが判定したものだけ"
        ),
        "audit-option-zone": Message(en="only from or to this zone", ja="この領域発または宛だけ"),
        "audit-option-src": Message(
            en="only from this address or network", ja="この送信元アドレス・ネットワークだけ"
        ),
        "audit-option-dst": Message(
            en="only to this address or network", ja="この宛先アドレス・ネットワークだけ"
        ),
        "audit-option-job": Message(en="only this mail job", ja="このメール処理だけ"),
        "audit-bad-network": Message(
            en="'{text}' is neither an address nor a network",
            ja="'{text}' はアドレスでもネットワークでもありません",
        ),
        # one line per event: what the kind is called
        "audit-kind-packet": Message(en="packet", ja="パケット"),
        "audit-kind-audited": Message(en="would match", ja="監査モードで該当"),
        "audit-kind-connection": Message(en="connection", ja="接続"),
        "audit-kind-mail-accepted": Message(en="mail accepted", ja="メール受付"),
        "audit-kind-mail-refused": Message(en="mail refused", ja="メール拒否"),
        "audit-kind-mail-sanitized": Message(en="mail sanitised", ja="メール無害化"),
        "audit-kind-mail-delivered": Message(en="mail delivered", ja="メール配送"),
        "audit-kind-mail-deferred": Message(en="mail deferred", ja="メール配送延期"),
        "audit-kind-mail-quarantined": Message(en="mail quarantined", ja="メール隔離"),
        "audit-kind-mail-dead": Message(en="mail given up", ja="メール配送断念"),
        "audit-kind-apply": Message(en="policy applied", ja="ポリシー適用"),
        "audit-kind-apply-refused": Message(en="policy refused", ja="ポリシー適用拒否"),
        "audit-kind-gateway-stopping": Message(en="gateway stopping", ja="ゲートウェイ停止"),
        "audit-kind-role-started": Message(en="role started", ja="役割開始"),
        "audit-kind-role-ended": Message(en="role ended", ja="役割終了"),
        "audit-kind-gap": Message(en="EVENTS LOST", ja="記録欠落"),
        "audit-kind-fault": Message(en="fault", ja="障害"),
        "audit-kind-start": Message(en="log started", ja="記録開始"),
        "audit-kind-stop": Message(en="log stopped", ja="記録終了"),
        "audit-outcome-allow": Message(en="allowed", ja="許可"),
        "audit-outcome-deny": Message(en="DENIED", ja="拒否"),
        "audit-outcome-sanitize:mail": Message(en="to mail sanitiser", ja="メール無害化へ"),
        "audit-outcome-sanitize:web": Message(en="to web sanitiser", ja="Web無害化へ"),
    }
)
