"""The words of proofs and differences, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "verb-verify": Message(
            en="prove the invariants of a policy, or show the packets that break them",
            ja="不変条件を証明する。破れていれば反例のパケットを示す",
        ),
        "verify-help": Message(
            en="Prove every invariant of a policy over all packets (IPv4 and IPv6, every protocol), or show packets that break it. Exit code 0: all proved; 1: one is violated; 2: the policy has problems; 4: one could not be decided.",
            ja="ポリシーの不変条件を、すべてのパケット(IPv4・IPv6、全プロトコル)について証明し、破れていれば反例を示します。終了コード 0: すべて証明、1: 破れあり、2: ポリシーに問題あり、4: 決められないものあり。",
        ),
        "option-distrust-relays": Message(
            en="ignore the claims (`relay: never`) that hosts pass nothing on",
            ja="ホストが受けたものを渡さないという申告(`relay: never`)を信じない",
        ),
        "option-transitive": Message(
            en="follow relays hop by hop for every invariant, also for those without `transitive`",
            ja="`transitive` のない不変条件でも、中継を一段ずつたどる",
        ),
        "option-invariant": Message(
            en="only the invariant of this id (may be repeated)", ja="この id の不変条件だけ(繰り返し可)"
        ),
        "option-pcap": Message(
            en="write the packets of all counterexamples to this capture file",
            ja="反例のパケットをこのキャプチャファイルに書き出す",
        ),
        "option-timeout": Message(
            en="give up after this many seconds; what is not proved by then is undecided",
            ja="この秒数で打ち切る。それまでに証明できないものは「未決」とする",
        ),
        "verify-proved": Message(en="{id}: proved", ja="{id}: 証明済み"),
        "verify-proved-transitive": Message(
            en="{id}: proved over any number of hops", ja="{id}: 何段の中継についても証明済み"
        ),
        "verify-violated": Message(en="{id}: violated", ja="{id}: 破れている"),
        "verify-undecided": Message(en="{id}: undecided, {reason}", ja="{id}: 未決({reason})"),
        "undecided-budget": Message(en="the time or the steps ran out", ja="時間または手数が尽きた"),
        "undecided-name": Message(
            en="an end is known by domain name only, and no packet shows a name",
            ja="端がドメイン名だけで示されており、パケットからは判らない",
        ),
        "undecided-order": Message(
            en="each step is open at some time, but perhaps never together, or in this order",
            ja="それぞれの段は開く時があるが、同時に、またはこの順に開くかどうかを示せない",
        ),
        "verify-clauses": Message(en="  basis: {clauses}", ja="  根拠: {clauses}"),
        "verify-exceptions": Message(en="  without {ids}: {because}", ja="  例外 {ids} を除く: {because}"),
        "verify-assumes": Message(en="  assumes: {assumption}", ja="  前提: {assumption}"),
        "assume-relay": Message(
            en="{host} never passes on what it receives ({because})",
            ja="{host} は受け取ったものを渡さない({because})",
        ),
        "assume-gateway": Message(
            en="the gateway itself passes on only what flows say",
            ja="ゲートウェイ自身は、フローに書かれたもの以外を渡さない",
        ),
        "assume-segment": Message(
            en="only packets that come to the gateway count: hosts in '{zone}' reach each other without it",
            ja="ゲートウェイに来るパケットだけを見る('{zone}' の中のホスト同士はゲートウェイなしで届く)",
        ),
        "assume-unapproved": Message(
            en="nobody approves {ids}: it would break this",
            ja="{ids} を誰も承認しない(承認されると破れる)",
        ),
        "verify-target": Message(en="  to {target}:", ja="  {target} まで:"),
        "verify-step": Message(
            en="    {source} → {destination}  {service}  {action} {flow}",
            ja="    {source} → {destination}  {service}  {action} {flow}",
        ),
        "verify-step-reply": Message(
            en="    {source} → {destination}  in the replies to {destination} → {source}  {service}  {action} {flow}",
            ja="    {source} → {destination}  ({destination} → {source} の応答)  {service}  {action} {flow}",
        ),
        "verify-step-at": Message(en="      from {moment}", ja="      {moment} から"),
        "verify-step-segment": Message(
            en="    {source} → {destination}  on their segment, without the gateway",
            ja="    {source} → {destination}  同じセグメント内(ゲートウェイを通らない)",
        ),
        "verify-summary": Message(
            en="{name} at {moment}: {proved} proved, {violated} violated, {undecided} undecided; revision {revision}",
            ja="{name}({moment} 時点): 証明済み {proved}、破れ {violated}、未決 {undecided}。版 {revision}",
        ),
        "verify-none": Message(en="the policy has no invariants", ja="ポリシーに不変条件がありません"),
        "verb-diff": Message(
            en="compare two policies: which packets get another verdict",
            ja="二つのポリシーを比べ、判定が変わるパケットを示す",
        ),
        "diff-help": Message(
            en="Compare two policies by what they mean: every kind of packet whose crossing changes, with one packet that shows it. Equal policies written differently differ in nothing. Exit code 0, also where they differ, unless --exit-code is given (1).",
            ja="二つのポリシーを意味で比べます。通り方が変わるパケットを種類ごとに一つの例とともに示します。書き方が違うだけなら何も示しません。終了コードは違いがあっても 0(--exit-code を付けると 1)。",
        ),
        "option-diff-exit-code": Message(
            en="leave with 1 where something crosses otherwise", ja="通り方に違いがあれば 1 で終わる"
        ),
        "option-diff-all": Message(
            en="also list packets refused for another reason, and those decided by another flow alike",
            ja="拒否の理由だけが変わるもの、決めるフローだけが変わるものも示す",
        ),
        "diff-pair": Message(en="{source} → {destination}", ja="{source} → {destination}"),
        "diff-crossing": Message(
            en="  {before} → {after}  e.g. {packet}", ja="  {before} → {after}  例: {packet}"
        ),
        "diff-replies": Message(
            en="  replies: {before} → {after}  e.g. {packet}, to {opened}",
            ja="  応答: {before} → {after}  例: {packet}({opened} への応答)",
        ),
        "diff-reason": Message(
            en="  reason only: {before} → {after}  e.g. {packet}",
            ja="  理由だけ: {before} → {after}  例: {packet}",
        ),
        "diff-attribution": Message(
            en="  flow only: {before} → {after}  e.g. {packet}",
            ja="  フローだけ: {before} → {after}  例: {packet}",
        ),
        "diff-otherwise": Message(
            en="said otherwise, though no packet shows it at this moment",
            ja="この時点のパケットには現れないが、記述が異なるもの",
        ),
        "diff-otherwise-entry": Message(en="  {section} {name}: {keys}", ja="  {section} {name}: {keys}"),
        "diff-otherwise-alone": Message(en="in one of the two only", ja="片方にだけある"),
        "diff-summary": Message(
            en="{crossing} change(s) in what crosses, {replies} in replies, {reason} only in reason, {attribution} only in flow, {otherwise} that no packet shows; {old} → {new}",
            ja="通り方の変化 {crossing}、応答の変化 {replies}、理由だけ {reason}、フローだけ {attribution}、パケットに現れないもの {otherwise}。{old} → {new}",
        ),
        "diff-undecided": Message(
            en="the time ran out: the policies may differ in more than is shown",
            ja="時間切れ: ここに示した以外にも違いがあるかもしれません",
        ),
        "unknown-invariant": Message(
            en="there is no invariant '{id}'",
            ja="'{id}' という不変条件はありません",
            hint_en="the policy has: {known}",
            hint_ja="ポリシーにあるもの: {known}",
        ),
        "pcap-unwritable": Message(
            en="cannot write {path}: {detail}",
            ja="{path} に書けません: {detail}",
            hint_en="check the directory and the permissions",
            hint_ja="ディレクトリと権限を確認してください",
        ),
    }
)
