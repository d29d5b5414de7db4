"""The words of the packet filter, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "tables-too-large": Message(
            en="the filter tables of this policy ({rules} rules) would pass {limit_mib} MiB",
            ja="このポリシー(規則 {rules} 件)の判定表が上限 {limit_mib} MiB を超えます",
            hint_en="use prefixes for long lists of addresses, and port ranges for long lists of ports",
            hint_ja="アドレスの長い一覧はプレフィックスに、ポートの長い一覧は範囲にまとめてください",
        ),
        "tables-too-many": Message(
            en="this policy ({rules} rules) has more different services or addresses than the filter can number",
            ja="このポリシー(規則 {rules} 件)は、判定表で区別できる数を超えるサービスまたはアドレスを含みます",
            hint_en="use port ranges for long lists of ports, and prefixes for long lists of addresses",
            hint_ja="ポートの長い一覧は範囲に、アドレスの長い一覧はプレフィックスにまとめてください",
        ),
        "tables-no-memory": Message(
            en="no memory is left for the filter tables of this policy ({rules} rules)",
            ja="このポリシー(規則 {rules} 件)の判定表に使えるメモリが残っていません",
            hint_en="give the host or the container more memory",
            hint_ja="ホストまたはコンテナのメモリを増やしてください",
        ),
        "engine-too-many-zones": Message(
            en="the native engine knows at most {most} zones; this policy has {zones}",
            ja="ネイティブエンジンが扱えるゾーンは {most} 個までです(このポリシーは {zones} 個)",
            hint_en="use --engine reference",
            hint_ja="--engine reference を使ってください",
        ),
        "engines-disagree": Message(
            en="the native engine decided {packet} as {native}, the reference as {reference}: nothing of this run can be trusted",
            ja="{packet} について、ネイティブエンジンの判定({native})と参照エンジンの判定({reference})が食い違いました。この実行の結果は信用できません",
            hint_en="this is a bug of ours: report it with the policy and the packet, and use --engine reference until it is fixed",
            hint_ja="本製品の不具合です。ポリシーとパケットを添えて報告し、修正までは --engine reference を使ってください",
        ),
    }
)
