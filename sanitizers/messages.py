"""The words of the sanitizers, in both languages: refusals, remarks in a body, lines of the footer."""

from __future__ import annotations

from zones.messages import Message, declare

_RELEASE_EN = (
    "the mail is in quarantine; ask the sender to send it in another form, or the administrator to look at it"
)
_RELEASE_JA = "メールは隔離されています。送信者に別の形式での再送を依頼するか、管理者に確認を依頼してください"


def _refusal(en: str, ja: str) -> Message:
    return Message(en=en, ja=ja, hint_en=_RELEASE_EN, hint_ja=_RELEASE_JA)


_REFUSALS = {
    "mail-unreadable": _refusal("the mail cannot be read ({detail})", "メールを読み取れません({detail})"),
    "mail-malformed-structure": _refusal(
        "the parts of the mail cannot be told apart ({detail})",
        "メールの各パートの区切りが判別できません({detail})",
    ),
    "mail-conflicting-structure": _refusal(
        "mail programs would read the parts of this mail differently ({detail})",
        "メールソフトによって読み取る内容が異なる構造です({detail})",
    ),
    "mail-conflicting-headers": _refusal(
        "the mail has conflicting headers ({detail})", "メールのヘッダーに矛盾があります({detail})"
    ),
    "mail-encrypted": _refusal(
        "the mail is encrypted or sealed and cannot be looked into ({detail})",
        "暗号化または封印されたメールのため、内容を確認できません({detail})",
    ),
    "mail-refused-type": _refusal(
        "the mail is only a piece of, or a pointer to, content that is elsewhere ({detail})",
        "内容の一部または外部への参照だけのメールです({detail})",
    ),
    "mail-output-refused": Message(
        en="the rewritten mail did not pass its own verification ({detail})",
        ja="書き直したメールが検証を通りませんでした({detail})",
        hint_en="this is a fault of the gateway: keep the quarantined mail and report it",
        hint_ja="ゲートウェイの不具合です。隔離されたメールを保存し、開発元に報告してください",
    ),
    "provenance-unreadable": Message(
        en="not a provenance record we can read ({detail})", ja="来歴記録として読み取れません({detail})"
    ),
}

_ISOLATION = {
    "worker-unknown-kind": Message(
        en="no sanitizer is registered for '{kind}'", ja="'{kind}' の無害化処理は登録されていません"
    ),
    "worker-start-failed": Message(
        en="the isolated worker could not be started: {detail}",
        ja="隔離ワーカーを起動できません: {detail}",
        hint_en="run `masugata doctor` and read which isolation layer is missing",
        hint_ja="`masugata doctor` を実行し、不足している隔離層を確認してください",
    ),
    "worker-not-isolated": Message(
        en="the isolated worker could still do what it must not: {detail}",
        ja="隔離ワーカーに禁止されている操作が可能な状態です: {detail}",
        hint_en="allow seccomp filters (and, if possible, user namespaces) for this service, then start it again",
        hint_ja="このサービスに seccomp(可能ならユーザー名前空間も)を許可してから再起動してください",
    ),
    "worker-died": Message(
        en="a worker died while reading the input", ja="入力の読み取り中にワーカーが異常終了しました"
    ),
    "worker-timed-out": Message(
        en="a worker did not finish within {seconds} s", ja="ワーカーが {seconds} 秒以内に終わりませんでした"
    ),
    "worker-failed": Message(
        en="a worker met a fault of its own ({detail})", ja="ワーカー内部で障害が発生しました({detail})"
    ),
    "worker-lied": Message(
        en="the answer of a worker did not stand up to the check ({detail})",
        ja="ワーカーの回答が検査を通りませんでした({detail})",
    ),
    "worker-input": Message(
        en="the input for the worker cannot be opened: {detail}",
        ja="ワーカーに渡す入力を開けません: {detail}",
    ),
}

_REMOVED = {
    "mail-removed-attachment": Message(en="attachments are not forwarded", ja="添付ファイルは転送されません"),
    "mail-removed-embedded": Message(
        en="files written into the text are not forwarded", ja="本文中に埋め込まれたファイルは転送されません"
    ),
}

_MARKS = {
    "mail-mark-link-mismatch": Message(
        en="the link leads elsewhere than its text says", ja="表示と異なるリンク先です"
    ),
    "mail-mark-inert-link": Message(en="link of kind '{kind}' removed", ja="リンク({kind})を除去しました"),
    "mail-mark-idn-link": Message(en="also written {other}", ja="別表記 {other}"),
    "mail-mark-embedded": Message(en="a file stood here", ja="ここにあったファイルを除去しました"),
    "mail-mark-alternative": Message(
        en="the HTML of this mail says something else; it follows",
        ja="このメールのHTML版はテキスト版と内容が異なります。以下がHTML版です",
    ),
    "mail-mark-message": Message(en="a mail inside this mail", ja="添付されていたメール"),
    "mail-mark-sender": Message(
        en="the sender's name shows another address than the sender's own, {address}",
        ja="差出人の表示名に、実際のアドレス {address} と異なるアドレスが含まれています",
    ),
    "mail-mark-empty": Message(en="the mail has no text", ja="本文はありません"),
}

_CALENDAR = {
    "mail-calendar-event": Message(en="Event", ja="予定"),
    "mail-calendar-summary": Message(en="Subject", ja="件名"),
    "mail-calendar-start": Message(en="Begins", ja="開始"),
    "mail-calendar-end": Message(en="Ends", ja="終了"),
    "mail-calendar-location": Message(en="Place", ja="場所"),
    "mail-calendar-organizer": Message(en="Organiser", ja="主催者"),
    "mail-calendar-description": Message(en="Text", ja="内容"),
}

_FOOTER = {
    "mail-footer-title": Message(en="Sanitization record", ja="無害化の記録"),
    "mail-footer-rewritten": Message(
        en="This mail was written anew as plain text. The original was not forwarded.",
        ja="このメールはテキストとして新しく書き直したものです。原本は転送していません。",
    ),
    "mail-footer-removed": Message(
        en="removed attachments and files: {count}", ja="取り除いた添付・ファイル: {count} 件"
    ),
    "mail-footer-more": Message(en="and {count} more", ja="ほか {count} 件"),
    "mail-footer-unnamed": Message(en="(no name)", ja="(名前なし)"),
    "mail-footer-size": Message(en="{size} bytes", ja="{size} バイト"),
    "mail-footer-charset": Message(
        en="characters may be wrong: the text was not what it declared to be (read as {charset})",
        ja="文字コードの宣言が内容と合わないため、文字が正しくない可能性があります({charset} として解読)",
    ),
    "mail-footer-number": Message(en="Record number: {number}", ja="記録番号: {number}"),
}

_NOTES = {
    "mail-note-controls": Message(en="control characters removed: {count}", ja="制御文字を除去: {count} 個"),
    "mail-note-bidi": Message(
        en="characters that reverse the writing direction removed: {count}",
        ja="書字方向を変える文字を除去: {count} 個",
    ),
    "mail-note-invisible": Message(
        en="invisible characters removed: {count}", ja="見えない文字を除去: {count} 個"
    ),
    "mail-note-unreadable-characters": Message(
        en="characters that are none replaced: {count}", ja="文字でない符号を置換: {count} 個"
    ),
    "mail-note-marks": Message(
        en="marks reserved for the gateway replaced: {count}", ja="ゲートウェイ専用の記号を置換: {count} 個"
    ),
    "mail-note-imitation": Message(
        en="lines imitating this record, marked as quoted: {count}",
        ja="この記録に似せた行を引用として表示: {count} 行",
    ),
    "mail-note-long-lines": Message(
        en="over-long lines broken: {count}", ja="長すぎる行を折り返し: {count} 行"
    ),
    "mail-note-shortened": Message(
        en="over-long names or headers shortened: {count}", ja="長すぎる名前・ヘッダーを短縮: {count} 件"
    ),
    "mail-note-links": Message(
        en="links made inert (hxxp[:]//): {count}", ja="リンクを無効な表記 (hxxp[:]//) に変更: {count} 件"
    ),
    "mail-note-inert-links": Message(
        en="links that are no web addresses removed ({detail}): {count}",
        ja="Web以外を指すリンクを除去({detail}): {count} 件",
    ),
    "mail-note-link-mismatch": Message(
        en="links whose text shows another place than they lead to ({detail}): {count}",
        ja="表示と異なる場所を指すリンク({detail}): {count} 件",
    ),
    "mail-note-idn-links": Message(
        en="links to names with non-Latin letters ({detail}): {count}",
        ja="国際化ドメイン名へのリンク({detail}): {count} 件",
    ),
    "mail-note-html": Message(en="HTML read as text: {count}", ja="HTMLをテキストに変換: {count} 件"),
    "mail-note-html-flat": Message(
        en="HTML too deep to lay out; all its text is shown without structure: {count}",
        ja="構造が深すぎるHTMLを、書式なしの全文として表示: {count} 件",
    ),
    "mail-note-script": Message(
        en="scripts and style sheets removed: {count}", ja="スクリプト・スタイルシートを除去: {count} 件"
    ),
    "mail-note-hidden": Message(
        en="characters of hidden text left out: {count}", ja="画面に表示されない隠し文字を除外: {count} 文字"
    ),
    "mail-note-active": Message(
        en="frames, forms, drawings, media removed: {count}",
        ja="フレーム・フォーム・図形・動画等を除去: {count} 件",
    ),
    "mail-note-embedded-images": Message(
        en="embedded images left out: {count}", ja="埋め込み画像を除外: {count} 件"
    ),
    "mail-note-remote-images": Message(
        en="images that would have been fetched from elsewhere left out: {count}",
        ja="外部から読み込まれる画像を除外: {count} 件",
    ),
    "mail-note-encoded-multipart": Message(
        en="a container with a transfer encoding it must not have: {count}",
        ja="コンテナに許されない転送符号化の指定: {count} 件",
    ),
    "mail-note-bad-content-type": Message(
        en="unreadable content types, read as text: {count}",
        ja="不正なContent-Typeをテキストとして処理: {count} 件",
    ),
    "mail-note-unknown-encoding": Message(
        en="unknown transfer encoding ({detail}): {count}", ja="不明な転送符号化({detail}): {count} 件"
    ),
    "mail-note-unknown-charset": Message(
        en="character sets we do not read ({detail}): {count}",
        ja="対応していない文字コードの宣言({detail}): {count} 件",
    ),
    "mail-note-epilogue": Message(
        en="text after the last part, which mail programs do not show, left out: {count}",
        ja="メールソフトに表示されない、最終パート以降の文字列を除外: {count} か所",
    ),
    "mail-note-truncated": Message(
        en="the mail ends before its parts do: something may be missing",
        ja="メールが途中で終わっており、欠けている可能性があります",
    ),
    "mail-note-damaged-text": Message(
        en="characters that could not be read: {count}", ja="読み取れない文字: {count} 個"
    ),
    "mail-note-alternative-differs": Message(
        en="the text and the HTML of this mail differ; both are shown",
        ja="テキスト版とHTML版の内容が異なるため両方を表示",
    ),
    "mail-note-signature": Message(
        en="a digital signature was removed and no longer protects this text: {count}",
        ja="電子署名を除去(この本文は署名で保護されていません): {count} 件",
    ),
    "mail-note-names-differ": Message(
        en="a file with more than one name ({detail})", ja="複数の名前を持つファイル({detail})"
    ),
    "mail-note-addresses": Message(
        en="addresses that cannot be written left out: {count}", ja="書式が不正なアドレスを除外: {count} 件"
    ),
    "mail-note-sender": Message(
        en="no usable sender's address; see the name if there is one",
        ja="差出人アドレスがないか、書式が不正です(表示名があれば参照)",
    ),
    "mail-note-sender-mismatch": Message(
        en="the sender's name shows another address", ja="差出人の表示名に別のアドレスが含まれています"
    ),
    "mail-note-repeated-headers": Message(
        en="repeated headers, the first one kept ({detail})", ja="重複したヘッダーの先頭だけを使用({detail})"
    ),
    "mail-note-date": Message(
        en="the mail had no valid date; the time it was received is shown",
        ja="有効な日付がないため、受信時刻を記載",
    ),
    "mail-note-message-id": Message(
        en="the mail had no valid Message-ID; one was made", ja="有効なMessage-IDがないため、新しく付与"
    ),
}

for _table in (_REFUSALS, _ISOLATION, _REMOVED, _MARKS, _CALENDAR, _FOOTER, _NOTES):
    declare(_table)
