"""What each code of lint means: a title, and why it matters and what to do (`lint --explain`, SARIF help)."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "lint-shadowed-title": Message(
            en="a flow that stricter flows leave nothing of", ja="より厳しいフローに覆われて効かないフロー"
        ),
        "lint-shadowed-about": Message(
            en="Every packet the flow matches is decided by denials, file transfers, renderings or sanitizers that lie over it. Whoever reads the list believes that something passes, or is treated in a way, that is not so. Take the flow out, or narrow the stricter ones. Taking it out changes no verdict.",
            ja="対象のパケットはすべて、重なっている拒否・ファイル受渡し・画面転送・無害化のフローが判定します。台帳を読む人は、実際とは違う扱いだと思い込みます。削除するか、厳しい方のフローを狭めてください。削除しても判定は変わりません。",
        ),
        "lint-redundant-title": Message(
            en="a flow that others make unnecessary", ja="ほかのフローと重複して不要なフロー"
        ),
        "lint-redundant-about": Message(
            en="Others match all of it with the same action and options, and are open at least as long. When its purpose ends and it is taken out, everything still passes: the owner believes to have closed something. Take it out now, or narrow the others. Taking it out changes no verdict.",
            ja="ほかのフローが、同じ動作と設定で、同じ期間以上、範囲のすべてを扱っています。目的が終わって削除しても通信は通り続け、所管課は閉じたつもりになります。今のうちに削除するか、ほかを狭めてください。削除しても判定は変わりません。",
        ),
        "lint-generalisation-title": Message(
            en="a wide flow with stricter exceptions inside", ja="厳しい例外を中に含む広いフロー"
        ),
        "lint-generalisation-about": Message(
            en="A flow of a weaker action holds all of a stricter one. The exception works, but everything beside it passes by the weaker action, and every new machine in the range does so unasked. Check that this is meant; better, name the ends that need the weaker action.",
            ja="緩い動作のフローが、より厳しいフローの範囲を丸ごと含んでいます。例外は効きますが、それ以外のすべてと、後から増えた機器は緩い動作で通ります。意図どおりか確かめ、できれば緩い動作が必要な端点だけを書いてください。",
        ),
        "lint-overlapping-allows-title": Message(
            en="flows that match some of the same packets", ja="対象の一部が重なるフロー"
        ),
        "lint-overlapping-allows-about": Message(
            en="Both flows match some packets; the stricter action, and among equals the smaller id, decides. Counters, tickets and expiry of the other say nothing about these packets, and closing one of the two does not close them. Cut the ranges so that each packet has one line.",
            ja="一部のパケットが両方に当たり、より厳しい動作、同じ動作なら小さい ID のフローが判定します。もう一方の計数・申請・期限はそのパケットについて何も語らず、片方を閉じても通信は残ります。一つの通信に一行が対応するように分けてください。",
        ),
        "lint-guard-makes-dead-title": Message(
            en="a flow in a direction that guards close", ja="ガードで閉じられた向きのフロー"
        ),
        "lint-guard-makes-dead-about": Message(
            en="Every direction of the flow is closed by a guard, for everything or for this action. Guards stand above all flows, so it opens nothing. Either the flow was written by mistake, or somebody believes that it works. Take it out; if the service is needed, choose an action that the guard does not forbid.",
            ja="フローの向きがすべて、全面的に、またはその動作についてガードで閉じられています。ガードはどのフローより優先するため、何も通りません。書き間違いか、動いていると思い込まれています。削除するか、必要な業務ならガードが禁じていない動作を選んでください。",
        ),
        "lint-deny-never-matches-title": Message(
            en="a denial where nothing passes anyway", ja="もともと何も通らない向きの拒否フロー"
        ),
        "lint-deny-never-matches-about": Message(
            en="Guards drop every packet of its directions, replies too, before any flow is asked. The line gives a feeling of safety and no safety, and hides which line really closes the direction. Take it out, or put its reason into the guard.",
            ja="その向きは、フローを調べる前にガードが応答も含めてすべて破棄しています。安心感だけの行で、実際に閉じている行が分かりにくくなります。削除するか、理由をガードに移してください。",
        ),
        "lint-names-never-served-title": Message(
            en="a flow to names that nothing serves", ja="名前を扱うプロキシがないフロー"
        ),
        "lint-names-never-served-about": Message(
            en="A destination known by name only never becomes an address rule. Without a proxy that serves names, its packets are refused as no-proxy. Disable the flow until there is such a proxy.",
            ja="名前だけで示された宛先は、アドレスの規則にはなりません。名前を扱うプロキシがなければ no-proxy として拒否されます。プロキシができるまでフローを無効にしてください。",
        ),
        "lint-any-any-title": Message(
            en="a flow that opens everything between zones", ja="領域間のすべてを開くフロー"
        ),
        "lint-any-any-about": Message(
            en="Source and destination are as wide as zones and the service is `any`: the border between them is gone. Name hosts and services; audit mode and `replay` show which are used.",
            ja="送信元も宛先も領域全体で、サービスが `any` です。領域の境界がないのと同じです。機器とサービスを書いてください。実際の利用は audit モードと `replay` で調べられます。",
        ),
        "lint-too-broad-title": Message(
            en="a flow wider than a purpose can be", ja="目的に対して広すぎるフロー"
        ),
        "lint-too-broad-about": Message(
            en="Of a raw `allow`: a destination as wide as a zone, a source zone as a whole that may leave it (the world outside may ask a public service), `any`, a whole protocol, or more than 1024 ports at once (the dynamic ports 49152-65535 excepted). Whatever is attached there tomorrow is open too. Name what is needed.",
            ja="動作 `allow` について、宛先が領域全体に及ぶ、送信元が領域全体のまま外へ出る(庁外から公開サービスへの通信を除く)、サービスが `any` か一つのプロトコル全体、または一度に 1024 を超えるポート(動的ポート 49152-65535 を除く)の場合です。明日つながれた機器にも開かれます。必要なものだけを書いてください。",
        ),
        "lint-high-risk-port-title": Message(
            en="a service that attackers look for, across zones", ja="攻撃に使われやすいサービスの領域越え"
        ),
        "lint-high-risk-port-about": Message(
            en="Remote logins, file sharing, databases and management across zones are how intruders move on and how ransomware spreads; cleartext logins (ftp, telnet, rlogin, tftp) are reported inside a zone too. Use a jump host with hours and approval, `file-transfer`, or an encrypted successor.",
            ja="領域をまたぐ遠隔操作・ファイル共有・データベース・管理用の通信は、侵入の拡大やランサムウェアの広がりに使われます。平文のもの(ftp、telnet、rlogin、tftp)は領域内でも指摘します。時間と承認を限った踏み台、`file-transfer`、暗号化された後継の方式を使ってください。",
        ),
        "lint-asymmetric-service-title": Message(
            en="one service opened in both directions", ja="両方向に開かれた同じサービス"
        ),
        "lint-asymmetric-service-about": Message(
            en="Two flows between the same ends of two zones open one service in opposite directions. Services have a client and a server (mail, time, routing and IPsec peers are not reported), and replies need no flow: often the second line was written for replies and lets the other side open connections. Take out the one that is not needed.",
            ja="二つの領域の同じ端点の間で、同じサービスが両方向に開かれています。サービスには利用側と提供側があり(メール、時刻、経路制御、IPsec の相互接続は除く)、応答にフローは要りません。応答のつもりで書かれた行が、相手側からの接続を許していることがよくあります。不要な方を削除してください。",
        ),
        "lint-relay-host-title": Message(
            en="hosts that make a way of several hops", ja="多段の経路をつくる中継点"
        ),
        "lint-relay-host-about": Message(
            en="Flows that are each fine make a way between zones that guards (or the three-layer model) keep apart: one ends at a host where the next begins. Whoever holds the relay holds the way. It is a note where a reviewed claim `relay: {{never: true}}` cuts the way, else a warning. Cut a hop, put a sanitizing gate into it, or review the relay. `verify --transitive` also follows what one segment can do within itself.",
            ja="一本ずつは正しいフローが、ガード(または三層分離)で隔てた領域の間に経路を作っています。ある通信の宛先が次の通信の送信元です。中継点を奪われれば経路を奪われます。確認済みの `relay: {{never: true}}` が経路を断っていれば参考、なければ警告です。一段を断つか、無害化を挟むか、中継点を確認してください。`verify --transitive` は同じセグメント内の移動も調べます。",
        ),
        "lint-dns-tunnel-title": Message(
            en="name lookups that leave a closed zone", ja="閉じた領域から外へ出る名前解決"
        ),
        "lint-dns-tunnel-about": Message(
            en="A question to a name server can hold any bytes, and the answer too; who runs the server at the end of the chain reads them. Reported for zones that do not face the Internet; a note where the resolver carries a reviewed `relay` claim. Answer names inside the zone.",
            ja="問い合わせの名前にも応答にも任意の情報を載せられ、問い合わせの行き着くサーバの管理者が読み取れます。インターネットに面しない領域について指摘し、名前解決サーバに確認済みの `relay` があれば参考にとどめます。領域内で名前に答えてください。",
        ),
        "lint-quic-beside-proxy-title": Message(en="QUIC past a web gate", ja="Web の関門を通らない QUIC"),
        "lint-quic-beside-proxy-about": Message(
            en="Web of these clients is sanitized or rendered, on TCP. QUIC carries the same web over UDP (443, 80), and this flow lets it out directly: nothing is looked at. Browsers use it by themselves. Close it; they fall back to TCP.",
            ja="これらの端末の Web は TCP で無害化または画面転送しています。QUIC は同じ Web を UDP(443、80)で運び、このフローはそれを直接通します。ブラウザは自動的に QUIC を使い、中身は検査されません。閉じれば TCP に切り替わります。",
        ),
        "lint-ipv6-gap-title": Message(en="what holds for IPv4 but not for IPv6", ja="IPv4 にだけ効く規則"),
        "lint-ipv6-gap-about": Message(
            en="A denial whose ends have IPv4 addresses only, while another flow passes the same service between the same zones over IPv6: who speaks IPv6 walks around it (warning). Or zones that have IPv6 networks and flows that speak IPv4 only: IPv6 is refused, and programs wait for it first (note). Give both families to the ends.",
            ja="拒否フローの端点が IPv4 だけで、同じ領域間の同じサービスを別のフローが IPv6 で通す場合、IPv6 で回り込めます(警告)。また、IPv6 を持つ領域の間でフローが IPv4 だけの場合、IPv6 は拒否され、接続が待たされます(参考)。端点に両方のアドレスを書いてください。",
        ),
        "lint-mac-off-segment-title": Message(
            en="a fixed MAC that is never seen", ja="届くことのない MAC の指定"
        ),
        "lint-mac-off-segment-about": Message(
            en="A MAC address is seen on the attached segment only. Behind a router every packet bears the router's, so a fixed MAC refuses all of them, or was written in the belief that it binds a machine. Attached is what shares a network of its zone with an address of ours; in the rest of the world, the same /24 or /64.",
            ja="MAC アドレスは直結したセグメントでしか見えません。ルータの先の通信はルータの MAC になるため、すべて拒否されるか、機器を固定したつもりになるだけです。領域の同じネットワークにゲートウェイのアドレスがあれば直結とみなし、庁外では同じ /24 または /64 で判断します。",
        ),
        "lint-expired-title": Message(en="a flow whose last day has passed", ja="期限の切れたフロー"),
        "lint-expired-about": Message(
            en="It opens nothing any more. Either somebody misses the service and has not said so, or the line has outlived its purpose. Renew it with a new ticket, or take it out.",
            ja="もう何も通しません。業務が止まったまま申し出がないか、目的を終えて残っているかのどちらかです。新しい申請で更新するか、削除してください。",
        ),
        "lint-expiring-together-title": Message(
            en="many flows that end on one day", ja="同じ日に集中する期限"
        ),
        "lint-expiring-together-about": Message(
            en="A dozen flows or more end at one midnight, usually that of the fiscal year. If renewals are late, services stop together; if they are hurried, nobody looks. Spread the dates, or plan the day.",
            ja="十二本以上のフローが同じ深夜(多くは年度末)に切れます。更新が遅れれば一斉に止まり、急げば誰も中身を見ません。期限を分散させるか、更新作業を計画してください。",
        ),
        "lint-no-owner-title": Message(en="a flow for which nobody answers", ja="所管のないフロー"),
        "lint-no-owner-about": Message(
            en="Without an owner nobody can be asked whether the flow is still needed, and it stays for good.",
            ja="所管がなければ、まだ必要かどうかを誰にも聞けず、いつまでも残ります。",
        ),
        "lint-no-ticket-title": Message(
            en="an opening without a decision to refer to", ja="申請番号のない許可"
        ),
        "lint-no-ticket-about": Message(
            en="Who asked for it, who decided it and on what grounds cannot be found again. Denials need none.",
            ja="誰が求め、誰がどんな根拠で決めたかを後からたどれません。拒否フローには不要です。",
        ),
        "lint-no-justification-title": Message(
            en="a flow that does not say what it is for", ja="目的の書かれていないフロー"
        ),
        "lint-no-justification-about": Message(
            en="Without its purpose nobody can tell when it has ended, or whether the flow is as narrow as it could be.",
            ja="目的がなければ、いつ終わったのか、どこまで狭められるのかを判断できません。",
        ),
        "lint-audit-mode-forgotten-title": Message(
            en="a trial without an end, or past it", ja="終わりのない、または終わった試行"
        ),
        "lint-audit-mode-forgotten-about": Message(
            en="A flow in audit mode decides nothing; without `expires` it stays so for good, and past it nobody looked at what was logged. The trial of a first deployment (`audit_until`) past its day is only a leftover.",
            ja="audit モードのフローは判定に加わりません。`expires` がなければそのまま残り、過ぎていれば記録を誰も見ていません。導入時の試行(`audit_until`)は、日を過ぎれば残骸です。",
        ),
        "lint-disabled-flow-title": Message(en="a flow that is switched off", ja="無効にされたフロー"),
        "lint-disabled-flow-about": Message(
            en="It does nothing, is still read, and can be switched on with one word and no new ticket. Keep it only for a change that is planned.",
            ja="何もしないのに読まれ続け、新しい申請なしに一語で有効にできます。予定された変更のためでなければ削除してください。",
        ),
        "lint-unused-name-title": Message(en="a name that nothing means", ja="使われていない名前"),
        "lint-unused-name-about": Message(
            en="No flow or invariant names this host, group, service or name; a host in a used group or in a test of the policy counts as used. It is left over, or the flow that should name it names another.",
            ja="どのフローも不変条件も使っていないホスト・グループ・サービス・名前です(使われているグループやポリシーのテストに含まれるホストは使用中とみなします)。残骸か、本来これを指すはずのフローが別のものを指しています。",
        ),
        "lint-suppression-expired-title": Message(
            en="an accepted finding whose time is over", ja="許容の期限が切れた指摘"
        ),
        "lint-suppression-expired-about": Message(
            en="Somebody accepted a finding until a day that has passed. The finding counts again. Look at it anew.",
            ja="ある日まで許容するとした指摘の、その日が過ぎました。指摘は再び数えられます。改めて確認してください。",
        ),
        "lint-suppression-unused-title": Message(
            en="an accepted finding that is not there", ja="存在しない指摘の許容"
        ),
        "lint-suppression-unused-about": Message(
            en="The finding has been cured, or never was about this entry. Left in the file, it would silence the next one.",
            ja="指摘は解消されたか、この項目のものではありません。残しておくと次の指摘を隠します。",
        ),
    }
)
