"""The words of labs, in both languages."""

from __future__ import annotations

from zones.messages import Message, declare

# What is wrong with a lab file.
declare(
    {
        "lab-bad-schema": Message(
            en="schema '{value}' is not one this version reads",
            ja="schema '{value}' はこの版では読めません",
            hint_en="write schema: 1",
            hint_ja="schema: 1 と書いてください",
        ),
        "lab-bad-name": Message(
            en="'{value}' cannot be a name here",
            ja="'{value}' は名前として使えません",
            hint_en="use up to 15 of a-z, 0-9, - and _, with a letter first: it becomes the name of an interface",
            hint_ja="英小文字で始まる15文字以内の a-z、0-9、-、_ にしてください(インターフェース名になります)",
        ),
        "lab-reserved-name": Message(
            en="'{value}' is a name the lab uses itself",
            ja="'{value}' は模擬環境が自ら使う名前です",
            hint_en="choose another name",
            hint_ja="別の名前にしてください",
        ),
        "lab-name-taken": Message(
            en="the name '{value}' is taken already, by {other}",
            ja="名前 '{value}' はすでに {other} が使っています",
            hint_en="segments, hosts and gateway interfaces share one set of names; rename one of the two",
            hint_ja="セグメント・ホスト・ゲートウェイのインターフェースの名前は互いに重複できません。どちらかを改名してください",
        ),
        "lab-bad-address": Message(
            en="'{value}' is not the address of a host",
            ja="'{value}' はホストのアドレスではありません",
            hint_en="write one IPv4 or IPv6 address without a prefix length; the segment's network gives the length",
            hint_ja="IPv4 か IPv6 のアドレスを一つ、プレフィックス長なしで書いてください(長さはセグメントのネットワークから決まります)",
        ),
        "lab-bad-network": Message(
            en="'{value}' is not a network",
            ja="'{value}' はネットワークではありません",
            hint_en="write it like 10.20.0.0/16, with no bits set behind the prefix",
            hint_ja="10.20.0.0/16 のように、プレフィックスより後ろのビットを 0 にして書いてください",
        ),
        "lab-bad-mac": Message(
            en="'{value}' is not the MAC address of an interface",
            ja="'{value}' はインターフェースの MAC アドレスではありません",
            hint_en='write six bytes like "02:00:0a:0a:05:0a", not a multicast address',
            hint_ja='"02:00:0a:0a:05:0a" のように6バイトで書いてください(マルチキャストは不可)',
        ),
        "lab-bad-port": Message(
            en="'{value}' is not a port",
            ja="'{value}' はポート番号ではありません",
            hint_en="ports go from 1 to 65535",
            hint_ja="ポート番号は 1 から 65535 です",
        ),
        "lab-bad-color": Message(
            en="'{value}' is not a colour",
            ja="'{value}' は色の指定ではありません",
            hint_en='write it like "#2b5f9e"',
            hint_ja='"#2b5f9e" のように書いてください',
        ),
        "lab-bad-sysctl": Message(
            en="'{value}' is not a setting a node may have",
            ja="'{value}' はノードに設定できる項目ではありません",
            hint_en="only keys below net. exist once per node; values are numbers or plain words",
            hint_ja="ノードごとに設定できるのは net. 以下のキーだけです。値は数字か簡単な語にしてください",
        ),
        "lab-bad-route": Message(
            en="'{value}' is not a default route",
            ja="'{value}' は既定経路の指定ではありません",
            hint_en="write gateway, none, or a list of addresses",
            hint_ja="gateway か none、またはアドレスの一覧を書いてください",
        ),
        "lab-too-many-hosts": Message(
            en="{seen} hosts are too many for one lab; the limit is {limit}",
            ja="ホストが {seen} 台あり、一つの模擬環境の上限 {limit} 台を超えています",
            hint_en="split the lab, or let one host answer for a network with extra_addresses",
            hint_ja="模擬環境を分けるか、extra_addresses で一台に複数のアドレスを受け持たせてください",
        ),
        "lab-networks-overlap": Message(
            en="network {network} overlaps {other} of segment {segment}",
            ja="ネットワーク {network} はセグメント {segment} の {other} と重なっています",
            hint_en="give every segment networks of its own",
            hint_ja="セグメントごとに重ならないネットワークを割り当ててください",
        ),
        "lab-segment-twice": Message(
            en="the gateway already stands on segment {segment}, with {interface}",
            ja="ゲートウェイはすでに {interface} でセグメント {segment} につながっています",
            hint_en="keep one interface a segment; it may hold several addresses",
            hint_ja="インターフェースは1セグメントに一つにしてください(アドレスは複数持てます)",
        ),
        "lab-unknown-segment": Message(
            en="there is no segment '{segment}'",
            ja="セグメント '{segment}' はありません",
            hint_en="declared are: {segments}",
            hint_ja="宣言されているもの: {segments}",
        ),
        "lab-address-outside": Message(
            en="address {address} is not in segment {segment} ({networks})",
            ja="アドレス {address} はセグメント {segment} ({networks}) の範囲外です",
            hint_en="correct the address, or the segment of this node",
            hint_ja="アドレスか、このノードのセグメントを直してください",
        ),
        "lab-address-not-usable": Message(
            en="address {address} is the network or broadcast address of {network}",
            ja="アドレス {address} は {network} のネットワークアドレスかブロードキャストアドレスです",
            hint_en="choose an address between the two",
            hint_ja="その間のアドレスを選んでください",
        ),
        "lab-address-taken": Message(
            en="address {address} belongs to {other} already",
            ja="アドレス {address} はすでに {other} のものです",
            hint_en="give each node addresses of its own",
            hint_ja="ノードごとに別のアドレスを割り当ててください",
        ),
        "lab-mac-taken": Message(
            en="MAC {mac} belongs to {other} already",
            ja="MAC アドレス {mac} はすでに {other} のものです",
            hint_en="leave mac out: the lab then chooses one from the node's name",
            hint_ja="mac を省けば、ノードの名前から自動で決まります",
        ),
        "lab-extra-elsewhere": Message(
            en="{address} lies on segment {segment}, where this node is not",
            ja="{address} はこのノードのいないセグメント {segment} の範囲です",
            hint_en="a node answers only for its own segment, or for addresses on no segment",
            hint_ja="ノードが応答できるのは、自分のセグメントか、どのセグメントにも属さないアドレスだけです",
        ),
        "lab-hop-unreachable": Message(
            en="the next hop {address} is on no segment of this node",
            ja="次ホップ {address} はこのノードのどのセグメントにもありません",
            hint_en="a default route goes through a neighbour on the same segment",
            hint_ja="既定経路には同じセグメントの隣接ノードを指定してください",
        ),
        "lab-port-taken": Message(
            en="port {protocol}/{port} is used by '{other}' on this node already",
            ja="ポート {protocol}/{port} はこのノードの '{other}' がすでに使っています",
            hint_en="give each service a port of its own",
            hint_ja="サービスごとに別のポートにしてください",
        ),
        "lab-file-unreadable": Message(
            en="cannot read the lab file {file}: {detail}",
            ja="模擬環境のファイル {file} を読めません: {detail}",
            hint_en="name a lab file, such as examples/sample-city/lab/city.yaml",
            hint_ja="examples/sample-city/lab/city.yaml のような模擬環境のファイルを指定してください",
        ),
    }
)

# What can go wrong while a lab runs.
declare(
    {
        "lab-unknown-node": Message(
            en="lab '{lab}' has no node '{node}'",
            ja="模擬環境 '{lab}' にノード '{node}' はありません",
            hint_en="it has: {nodes}",
            hint_ja="あるのは次のとおり: {nodes}",
        ),
        "lab-already-up": Message(
            en="lab '{name}' is up already (process {pid})",
            ja="模擬環境 '{name}' はすでに動いています (プロセス {pid})",
            hint_en="masugata lab down {name} ends it; masugata lab up --replace does both",
            hint_ja="masugata lab down {name} で終わります。masugata lab up --replace なら入れ替えます",
        ),
        "lab-not-up": Message(
            en="no lab '{name}' is up",
            ja="模擬環境 '{name}' は動いていません",
            hint_en="masugata lab up FILE brings one up; masugata lab status lists those that are",
            hint_ja="masugata lab up FILE で立ち上げます。動いているものは masugata lab status で一覧できます",
        ),
        "lab-none-up": Message(
            en="no lab is up",
            ja="動いている模擬環境はありません",
            hint_en="bring one up with masugata lab up FILE",
            hint_ja="masugata lab up FILE で立ち上げてください",
        ),
        "lab-which": Message(
            en="several labs are up: {names}",
            ja="複数の模擬環境が動いています: {names}",
            hint_en="name one of them with --lab (or as the argument of down)",
            hint_ja="--lab (down では引数) で一つを指定してください",
        ),
        "lab-no-file": Message(
            en="no lab file was named, and {file} is not here",
            ja="模擬環境のファイルの指定がなく、{file} もここにありません",
            hint_en="name a lab file, or run this at the top of the masugata checkout",
            hint_ja="ファイルを指定するか、masugata のソースの一番上で実行してください",
        ),
        "lab-cannot-draw": Message(
            en="cannot write {file}: {detail}",
            ja="{file} に書けません: {detail}",
            hint_en="name a file in a directory you may write to",
            hint_ja="書き込めるディレクトリのファイルを指定してください",
        ),
        "lab-busy": Message(
            en="somebody else has been working on lab '{name}' for more than {seconds} s",
            ja="ほかの処理が {seconds} 秒以上、模擬環境 '{name}' を操作しています",
            hint_en="wait for the other masugata lab command to finish, or stop it",
            hint_ja="もう一方の masugata lab の終了を待つか、止めてください",
        ),
        "lab-state-unsafe": Message(
            en="{path} is not a private directory of yours",
            ja="{path} はあなた専用のディレクトリではありません",
            hint_en="somebody may have put it there: look at it, remove it, or set XDG_RUNTIME_DIR to a directory of mode 0700",
            hint_ja="第三者が置いたおそれがあります。確かめて削除するか、XDG_RUNTIME_DIR にモード 0700 のディレクトリを指定してください",
        ),
        "lab-tool-missing": Message(
            en="the program '{tool}' is not installed",
            ja="プログラム '{tool}' がインストールされていません",
            hint_en="sudo apt-get install -y {package}",
            hint_ja="sudo apt-get install -y {package} を実行してください",
        ),
        "lab-namespaces-refused": Message(
            en="this machine refuses to make namespaces: {detail}",
            ja="この機械では名前空間を作れません: {detail}",
            hint_en=(
                "as root, allow them to users: sysctl kernel.unprivileged_userns_clone=1 (Debian) or"
                " sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu), and user.max_user_namespaces above 0;"
                " or run the lab as root; a container needs --privileged"
            ),
            hint_ja=(
                "管理者が一般利用者に許可してください: sysctl kernel.unprivileged_userns_clone=1 (Debian)、"
                "sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu)、user.max_user_namespaces は 0 より大きく。"
                "または root で実行してください。コンテナでは --privileged が必要です"
            ),
        ),
        "lab-step-failed": Message(
            en="lab '{name}' could not be made: in {where}, {detail}",
            ja="模擬環境 '{name}' を作れませんでした: {where} で {detail}",
            hint_en="nothing was left behind; if a device type is unknown, load its module as root: modprobe bridge veth",
            hint_ja="何も残していません。装置の種類が不明と出た場合は、管理者が modprobe bridge veth でモジュールを読み込んでください",
        ),
        "lab-holder-silent": Message(
            en="the lab did not come up within {seconds} s: {detail}",
            ja="模擬環境が {seconds} 秒以内に立ち上がりませんでした: {detail}",
            hint_en="nothing was left behind; try again when the machine is less busy",
            hint_ja="何も残していません。機械の負荷が下がってからもう一度試してください",
        ),
        "lab-holder-died": Message(
            en="the process that holds the lab died while building it: {detail}",
            ja="模擬環境を保持するプロセスが構築中に終了しました: {detail}",
            hint_en="nothing was left behind; the message above is the last of its log",
            hint_ja="何も残していません。上の文がログの最後です",
        ),
        "lab-will-not-die": Message(
            en="process {pid} of the lab did not end within {seconds} s of being killed",
            ja="模擬環境のプロセス {pid} が、強制終了から {seconds} 秒たっても終わりません",
            hint_en="something in it hangs in the kernel, or is stopped in a debugger: look at the process",
            hint_ja="カーネル内で止まっているか、デバッガで停止しています。そのプロセスを調べてください",
        ),
        "traffic-bad-line": Message(
            en="line {line}: {detail}",
            ja="{line} 行目: {detail}",
            hint_en="one JSON object a line; docs/guides/lab.md lists the keys",
            hint_ja="1行に1件の JSON です。キーは docs/guides/lab.md にあります",
        ),
    }
)

# What `masugata lab` says.
declare(
    {
        "lab-help-up": Message(en="bring up a lab from its file", ja="ファイルから模擬環境を立ち上げる"),
        "lab-help-down": Message(
            en="end a lab and everything in it", ja="模擬環境とその中のすべてを終わらせる"
        ),
        "lab-help-exec": Message(
            en="run a command on a node, as if it were that machine", ja="ノードの上でコマンドを実行する"
        ),
        "lab-help-status": Message(
            en="show what is up, and what runs on it", ja="動いている模擬環境と、その中のプロセスを示す"
        ),
        "lab-help-plan": Message(
            en="print the commands that would make a lab, or draw it; change nothing",
            ja="模擬環境を作るコマンドの表示、または作図だけを行う(何も変更しない)",
        ),
        "lab-option-replace": Message(
            en="end a lab of the same name first", ja="同じ名前の模擬環境があれば先に終わらせる"
        ),
        "lab-option-all": Message(en="every lab of this user", ja="この利用者のすべての模擬環境"),
        "lab-option-lab": Message(
            en="which lab, when several are up", ja="複数動いているときに、どの模擬環境か"
        ),
        "lab-option-svg": Message(
            en="draw the lab into this SVG file", ja="模擬環境の図をこの SVG ファイルに書く"
        ),
        "lab-is-up": Message(
            en="lab '{name}' is up: {hosts} hosts on {segments} segments, in {milliseconds} ms",
            ja="模擬環境 '{name}' が立ち上がりました: {segments} セグメントにホスト {hosts} 台、{milliseconds} ミリ秒",
        ),
        "lab-next": Message(
            en="try: masugata lab exec {node} -- ip address",
            ja="試すには: masugata lab exec {node} -- ip address",
        ),
        "lab-missing-setting": Message(
            en="this kernel has no setting for {setting}; it is left out",
            ja="このカーネルには {setting} の設定がないため省きました",
        ),
        "lab-is-down": Message(
            en="lab '{name}' is down, in {milliseconds} ms",
            ja="模擬環境 '{name}' を終わらせました ({milliseconds} ミリ秒)",
        ),
        "lab-drawn": Message(en="drew {file}", ja="{file} に図を書きました"),
        "lab-status-title": Message(
            en="{name} · up {uptime} · holder process {pid} · {file}",
            ja="{name} · 稼働 {uptime} · 保持プロセス {pid} · {file}",
        ),
        "lab-column-node": Message(en="node", ja="ノード"),
        "lab-column-interface": Message(en="interface", ja="インターフェース"),
        "lab-column-segment": Message(en="segment", ja="セグメント"),
        "lab-column-address": Message(en="addresses", ja="アドレス"),
        "lab-column-service": Message(en="services", ja="サービス"),
        "lab-column-process": Message(en="running", ja="実行中"),
    }
)
