"""The words of the gateway and its command line, in both languages."""

from __future__ import annotations

import gateway.audit.messages
import gateway.cli.messages
import gateway.demo.messages
import gateway.doctor.messages
import gateway.filter.messages
import gateway.journal.messages
import gateway.kernel.messages
import gateway.mail.messages
import gateway.process.messages
import gateway.replay.messages
import gateway.suggest.messages  # noqa: F401
import sanitizers.messages  # noqa: F401
import topology.messages  # noqa: F401  (declares the words of labs)
import zones.lint.messages
import zones.lint.wording
import zones.proof.messages
import zones.wording  # noqa: F401
from zones.messages import Message, declare

declare(
    {
        "help-verbs": Message(en="Commands", ja="コマンド"),
        "severity-error": Message(en="error", ja="エラー"),
        "severity-warning": Message(en="warning", ja="警告"),
        "verb-demo": Message(
            en="bring up the sample city and show everything at work",
            ja="見本の市を立ち上げ、すべての働きを見せる",
        ),
        "verb-check": Message(
            en="check a policy: every problem at once, then its tests",
            ja="ポリシーを検査する(問題はすべて一度に表示し、テストも実行)",
        ),
        "verb-lint": Message(
            en="report what is valid but should be heard: dead lines, wide ones, ways of several hops",
            ja="正しくても知るべきことを示す(効かない行、広すぎる行、多段の経路など)",
        ),
        "verb-query": Message(en="ask the verdict for one packet", ja="一つのパケットの判定を尋ねる"),
        "verb-explain": Message(
            en="explain a verdict, from the packet to the clause",
            ja="判定の理由をパケットから条文まで説明する",
        ),
        "verb-matrix": Message(
            en="show which zone may reach which, and how", ja="領域間の到達可否を一覧する"
        ),
        "verb-replay": Message(
            en="judge every packet of a capture file", ja="キャプチャの全パケットを判定する"
        ),
        "verb-compile": Message(
            en="print the ruleset a policy compiles to", ja="ポリシーから生成したルールセットを表示する"
        ),
        "verb-lab": Message(
            en="a simulated city of network namespaces", ja="ネットワーク名前空間による模擬の市"
        ),
        "verb-run": Message(en="run the gateway", ja="ゲートウェイを動かす"),
        "verb-audit": Message(en="read and verify the audit log", ja="監査ログを読み、検証する"),
        "verb-mail": Message(en="look at the mail journal", ja="メールの処理台帳を見る"),
        "verb-doctor": Message(
            en="say which tools and isolation layers this machine has", ja="この機械にある道具と隔離層を示す"
        ),
        "option-json": Message(en="one JSON object a line on stdout", ja="標準出力に1行1件のJSONを書く"),
        "option-lang": Message(en="language of messages", ja="メッセージの言語"),
        "option-quiet": Message(en="no progress or remarks on stderr", ja="進捗と注記を表示しない"),
        "option-no-color": Message(en="no colours", ja="色を使わない"),
        "bad-seconds": Message(
            en="'{value}' is not a number of seconds", ja="'{value}' は秒数ではありません"
        ),
        "internal-error": Message(
            en="a fault of masugata itself ({kind} at {place}: {detail}); nothing is known of what was asked",
            ja="masugata 自体の不具合です({place} の {kind}: {detail})。問われたことについては何も判りません",
            hint_en="report it with the command and its input; MASUGATA_DEBUG=1 shows where it happened",
            hint_ja="実行したコマンドと入力を添えて報告してください。MASUGATA_DEBUG=1 で発生箇所を表示します",
        ),
        "output-failed": Message(
            en="what was found could not be written: {detail}",
            ja="結果を書き出せませんでした: {detail}",
            hint_en="make room where standard output goes, then run it again",
            hint_ja="標準出力の書き込み先に空きを作り、もう一度実行してください",
        ),
        "misused": Message(en="{detail}", ja="コマンドの使い方が正しくありません: {detail}"),
        "foreign-package": Message(
            en="the package '{package}' comes from {place}, not from masugata ({home})",
            ja="パッケージ '{package}' が masugata ({home}) ではなく {place} から読み込まれています",
            hint_en="install masugata in an environment of its own: python3 -m venv, then pip install masugata",
            hint_ja="専用の環境に入れてください: python3 -m venv のあと pip install masugata",
        ),
    }
)
