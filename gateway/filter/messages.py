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
    }
)
