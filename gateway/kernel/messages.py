"""The words of the netlink readers, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "netlink-malformed": Message(
            en="the kernel's answer cannot be read: {detail}", ja="カーネルの応答を読めません: {detail}"
        ),
        "netlink-refused": Message(
            en="the kernel refused to {operation}: {detail}",
            ja="カーネルが要求を拒否しました ({operation}): {detail}",
            hint_en="the gateway needs CAP_NET_ADMIN in its network namespace, and the kernel nfnetlink, nfnetlink_log and nf_conntrack_netlink",
            hint_ja="ネットワーク名前空間での CAP_NET_ADMIN と、カーネルの nfnetlink・nfnetlink_log・nf_conntrack_netlink が必要です",
        ),
        "netlink-silent": Message(
            en="the kernel did not answer in time: {operation}",
            ja="カーネルが時間内に応答しませんでした: {operation}",
        ),
        "nflog-group-taken": Message(
            en="log group {group} is read by another program",
            ja="ログのグループ {group} は別のプログラムが読んでいます",
            hint_en="stop the other reader (ulogd, tcpdump -i nflog) or give the gateway another group",
            hint_ja="もう一方の読み手 (ulogd、tcpdump -i nflog) を止めるか、別のグループを指定してください",
        ),
    }
)
