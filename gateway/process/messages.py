"""The words of running the gateway: settings, privileges, roles, and what the host must provide."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "policy-not-named": Message(
            en="no policy is named",
            ja="ポリシーが指定されていません",
            hint_en="name it: masugata run examples/sample-city, or `policy:` in gateway.yaml",
            hint_ja="masugata run examples/sample-city のように指定するか、gateway.yaml に `policy:` を書いてください",
        ),
        "run-path-too-long": Message(
            en="{path} is too long for a socket's name (limit {limit} bytes)",
            ja="{path} はソケット名として長すぎます(上限 {limit} バイト)",
            hint_en="set `run:` in gateway.yaml to a short path such as /run/masugata",
            hint_ja="gateway.yaml の `run:` に /run/masugata のような短いパスを指定してください",
        ),
        "mail-port-unknown": Message(
            en="the port that mail is turned to must be named; 0 means any",
            ja="メールを振り向ける先のポートを指定してください(0 は任意の意味になります)",
            hint_en="leave it out for 10025",
            hint_ja="省略すると 10025 になります",
        ),
        "privilege-missing": Message(
            en="{capability} is missing: this process may not change the kernel's tables",
            ja="{capability} がありません。このプロセスはカーネルのテーブルを変更できません",
            hint_en="run it inside a lab (masugata lab exec gateway -- masugata run …), as root, or with that capability",
            hint_ja="模擬環境の中(masugata lab exec gateway -- masugata run …)、root、またはその権限で実行してください",
        ),
        "not-this-host": Message(
            en="none of the policy's interfaces ({interfaces}) is here: this is not the gateway's host",
            ja="ポリシーのインタフェース({interfaces})が一つもありません。ここはゲートウェイのホストではありません",
            hint_en="run it on the gateway, or inside a lab: masugata lab exec gateway -- masugata run …",
            hint_ja="ゲートウェイ上か、模擬環境の中で実行してください: masugata lab exec gateway -- masugata run …",
        ),
        "gateway-already-runs": Message(
            en="a gateway runs in this network namespace already",
            ja="このネットワーク名前空間ではすでにゲートウェイが動いています",
            hint_en="stop it first (SIGTERM)",
            hint_ja="先にそれを停止してください(SIGTERM)",
        ),
        "state-in-use": Message(
            en="a gateway in another network namespace works in {path}",
            ja="別のネットワーク名前空間のゲートウェイが {path} を使っています",
            hint_en="give each gateway a --state of its own",
            hint_ja="ゲートウェイごとに別の --state を指定してください",
        ),
        "state-unwritable": Message(
            en="cannot write the state directory {path}: {detail}",
            ja="状態ディレクトリ {path} に書き込めません: {detail}",
            hint_en="name another one with --state, or give it to this user",
            hint_ja="--state で別の場所を指定するか、この利用者に権限を与えてください",
        ),
        "privilege-drop": Message(
            en="cannot give up privileges: {detail}", ja="権限を手放せません: {detail}"
        ),
        "landlock-absent": Message(
            en="this kernel has no Landlock: a role that is taken over can write whatever this user can",
            ja="このカーネルには Landlock がありません。乗っ取られた役割は、この利用者が書けるものすべてに書けます",
            hint_en="boot a kernel with `landlock` among its security modules (lsm=…)",
            hint_ja="`landlock` を有効にしたカーネル(lsm=…)で起動してください",
        ),
        "tool-missing": Message(
            en="the command '{tool}' is missing",
            ja="コマンド '{tool}' がありません",
            hint_en="install nftables and iproute2; `masugata doctor` shows the line",
            hint_ja="nftables と iproute2 を入れてください。`masugata doctor` が手順を示します",
        ),
        "tool-failed": Message(en="'{tool}' failed: {detail}", ja="'{tool}' が失敗しました: {detail}"),
        "tool-timeout": Message(
            en="'{tool}' took longer than {seconds} s", ja="'{tool}' が {seconds} 秒を超えました"
        ),
        "socket-path": Message(
            en="cannot listen on {path}: {detail}", ja="{path} で待ち受けられません: {detail}"
        ),
        "broker-absent": Message(
            en="the enforcer does not answer on {path}: {detail}",
            ja="執行役が {path} で応答しません: {detail}",
        ),
        "broker-bad-request": Message(
            en="a request for a socket made no sense", ja="ソケットの要求が不正です"
        ),
        "broker-unknown-flow": Message(
            en="no sanitising flow '{flow}' is in force", ja="無害化フロー '{flow}' は有効ではありません"
        ),
        "broker-closed-flow": Message(
            en="the flow '{flow}' is closed now", ja="フロー '{flow}' は今は閉じています"
        ),
        "sysctl-write": Message(
            en="cannot set {name} = {value}: {detail}", ja="{name} = {value} を設定できません: {detail}"
        ),
        "sysctl-unmet": Message(
            en="{name} must be {value}, and cannot be changed from here",
            ja="{name} は {value} でなければなりませんが、ここからは変更できません",
            hint_en="set it where the network namespace is made (for a container: `sysctls:` in compose.yaml)",
            hint_ja="ネットワーク名前空間を作る側で設定してください(コンテナなら compose.yaml の `sysctls:`)",
        ),
        "interface-missing": Message(
            en="the interface {interface} of zone '{zone}' is not here or not up",
            ja="領域 '{zone}' のインタフェース {interface} がないか、動作していません",
            hint_en="bring it up, or correct `interfaces:` of the zone",
            hint_ja="有効にするか、領域の `interfaces:` を直してください",
        ),
        "interface-unnamed": Message(
            en="the interface {interface} is up, but the policy does not name it: a hidden way around the gateway",
            ja="インタフェース {interface} が動作していますが、ポリシーにありません(隠れた迂回路になります)",
            hint_en="give it to a zone or to `management:`, or take it down",
            hint_ja="領域か `management:` に加えるか、停止してください",
        ),
        "address-unnamed": Message(
            en="{address} on {interface} is not an address the policy gives the gateway in '{zone}'",
            ja="{interface} の {address} は、領域 '{zone}' でのゲートウェイのアドレスとしてポリシーにありません",
            hint_en="add it to `gateway:` of the zone, or remove it from the interface",
            hint_ja="領域の `gateway:` に加えるか、インタフェースから外してください",
        ),
        "ruleset-not-loaded": Message(
            en="the kernel does not hold the ruleset of {revision}",
            ja="カーネルに {revision} のルールセットがありません",
        ),
        "role-failed": Message(
            en="the role '{role}' ended with {code} before it was ready",
            ja="役割 '{role}' が準備の前に終了しました(終了コード {code})",
            hint_en="its own words are above",
            hint_ja="原因は上の出力にあります",
        ),
        "role-not-ready": Message(
            en="the role '{role}' was not ready after {seconds} s",
            ja="役割 '{role}' が {seconds} 秒たっても準備できません",
        ),
        "policy-changed": Message(
            en="{role}: the frozen policy in {path} is not the one this run was started with",
            ja="{role}: {path} に凍結されたポリシーが、起動時のものと異なります",
            hint_en="somebody wrote into the state directory; stop the gateway, find out who, and start it again",
            hint_ja="状態ディレクトリが書き換えられています。ゲートウェイを停止し、原因を調べてから起動し直してください",
        ),
        "settings-changed": Message(
            en="the frozen settings {path} are not those this run was started with",
            ja="凍結された設定 {path} が、起動時のものと異なります",
            hint_en="somebody wrote into the run directory; stop the gateway, find out who, and start it again",
            hint_ja="実行ディレクトリが書き換えられています。ゲートウェイを停止し、原因を調べてから起動し直してください",
        ),
        "compile-option-now": Message(
            en="the moment it is loaded: 2027-04-01 or 2027-04-01T09:00 (default: now)",
            ja="読み込む時点: 2027-04-01 または 2027-04-01T09:00(既定は現在)",
        ),
        "compile-option-mail-port": Message(en="port of the mail proxy", ja="メール無害化の待受ポート"),
        "run-option-config": Message(en="gateway.yaml of this gateway", ja="このゲートウェイの gateway.yaml"),
        "run-option-state": Message(
            en="directory for journal, audit and sockets", ja="台帳・監査・ソケットを置くディレクトリ"
        ),
        "run-option-check": Message(
            en="check policy, settings and privileges, then end", ja="ポリシー・設定・権限の検査だけを行う"
        ),
        "run-check-ok": Message(
            en="{policy} (revision {revision}) can be run here",
            ja="{policy}(版 {revision})はここで実行できます",
        ),
        "run-role-started": Message(
            en="{role} is ready (process {pid})", ja="{role} の準備ができました(プロセス {pid})"
        ),
        "run-role-ended": Message(
            en="{role} has ended; starting it again", ja="{role} が終了しました。再起動します"
        ),
        "run-ready": Message(
            en="the gateway is in force: revision {revision}, state in {state}",
            ja="ゲートウェイが有効になりました: 版 {revision}、状態は {state}",
        ),
        "run-stopped": Message(
            en="the gateway has stopped; nothing passes", ja="ゲートウェイを停止しました。何も通りません"
        ),
    }
)
