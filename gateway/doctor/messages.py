"""The words of `masugata doctor`: what each thing is for, and what brings it."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        "doctor-state-ok": Message(en="ok", ja="あり"),
        "doctor-state-missing": Message(en="missing", ja="不足"),
        "doctor-state-optional": Message(en="optional", ja="任意"),
        "doctor-group-tools": Message(en="Tools", ja="道具"),
        "doctor-group-network": Message(
            en="Network, each tried in a namespace of its own", ja="ネットワーク(専用の名前空間で実際に試行)"
        ),
        "doctor-group-isolation": Message(
            en="Isolation of workers that read untrusted bytes", ja="信頼できないデータを読むワーカーの隔離"
        ),
        "doctor-group-engines": Message(en="Filter engines", ja="フィルタエンジン"),
        "doctor-group-libraries": Message(en="Python libraries", ja="Pythonライブラリ"),
        "doctor-group-host": Message(en="This process", ja="このプロセス"),
        "doctor-for-nft": Message(
            en="loads the rule set into the kernel", ja="ルールセットをカーネルへ読み込む"
        ),
        "doctor-for-ip": Message(
            en="namespaces, links, addresses, routes", ja="名前空間・リンク・アドレス・経路"
        ),
        "doctor-for-unshare": Message(en="the lab without root", ja="root権限なしの模擬環境"),
        "doctor-for-bwrap": Message(
            en="sandbox for document renderers (no verb uses it yet)",
            ja="文書レンダラーの砂場(現在使うコマンドはまだない)",
        ),
        "doctor-for-conntrack": Message(
            en="looking at tracked connections by hand", ja="追跡中の接続を手で確かめる"
        ),
        "doctor-for-tcpdump": Message(
            en="taking captures of your own for replay", ja="replay用のキャプチャを自分で取る"
        ),
        "doctor-for-swaks": Message(en="sending a test mail by hand", ja="試験メールを手で送る"),
        "doctor-for-docker": Message(en="building the image (make image)", ja="イメージの作成(make image)"),
        "doctor-for-namespaces": Message(
            en="network, mounts and processes apart, for lab and demo",
            ja="labとdemoのための独立したネットワーク・マウント・プロセス",
        ),
        "doctor-for-links": Message(en="the wires of the simulated city", ja="模擬の市の配線"),
        "doctor-for-packet-filter": Message(
            en="the rule sets that a policy compiles to", ja="ポリシーから生成するルールセット"
        ),
        "doctor-for-strict-tracking": Message(
            en="refusing connections that were not seen to begin", ja="開始を確認していない接続の拒否"
        ),
        "doctor-for-no-new-privileges": Message(
            en="a worker never gains rights", ja="ワーカーが権限を得ることを防ぐ"
        ),
        "doctor-for-seccomp": Message(
            en="a worker opens no socket and starts no program",
            ja="ワーカーによるソケットの作成とプログラムの起動を防ぐ",
        ),
        "doctor-for-landlock": Message(
            en="a worker sees only its own files", ja="ワーカーから見えるファイルを自分のものに限る"
        ),
        "doctor-for-engine-reference": Message(
            en="decides every packet; the others are measured against it",
            ja="全パケットを判定する。他のエンジンはこれを基準に検証する",
        ),
        "doctor-for-engine-native": Message(
            en="the same answers, some hundred times as fast", ja="同じ判定を数百倍の速さで行う"
        ),
        "doctor-cure-compiler": Message(
            en="install a C compiler and Python's headers (Debian: gcc python3-dev), then install masugata again",
            ja="CコンパイラとPythonのヘッダー(Debianでは gcc python3-dev)を入れ、masugataを入れ直してください",
        ),
        "doctor-for-libraries": Message(en="every verb", ja="すべてのコマンド"),
        "doctor-for-libraries-mail": Message(en="mail", ja="メール"),
        "doctor-for-libraries-replay": Message(
            en="replay: zstd captures, Parquet", ja="replay: zstd圧縮のキャプチャ、Parquet"
        ),
        "doctor-for-libraries-lab": Message(en="the hosts of the simulated city", ja="模擬の市のホスト"),
        "doctor-for-python": Message(en="3.11 or later", ja="3.11以降"),
        "doctor-for-net-admin": Message(
            en="CAP_NET_ADMIN: a gateway between real networks; lab and demo do without",
            ja="CAP_NET_ADMIN: 実ネットワーク間のゲートウェイに必要。labとdemoには不要",
        ),
        "doctor-for-utf-8": Message(en="Japanese on this terminal", ja="この端末での日本語表示"),
        "doctor-cure-install": Message(
            en="run: sudo apt-get install -y --no-install-recommends {package}",
            ja="実行: sudo apt-get install -y --no-install-recommends {package}",
        ),
        "doctor-cure-sysctl": Message(
            en="the administrator allows it: sudo {line}", ja="管理者が許可してください: sudo {line}"
        ),
        "doctor-cure-container": Message(
            en="no switch of this host forbids it: a container or a security module does; "
            "start it with user namespaces allowed, or run as root on the host itself",
            ja="ホストの設定では禁止されていません。コンテナまたはセキュリティモジュールが禁止しています。"
            "ユーザー名前空間を許可して起動するか、ホスト上でrootとして実行してください",
        ),
        "doctor-cure-namespaces-first": Message(
            en="not tried: it needs namespaces", ja="未試行: 先に名前空間が必要です"
        ),
        "doctor-cure-kernel": Message(
            en="if its tool is there, the administrator loads the kernel's part: sudo modprobe {module}",
            ja="道具がある場合は、管理者がカーネルモジュールを読み込んでください: sudo modprobe {module}",
        ),
        "doctor-cure-newer-kernel": Message(
            en="this kernel has it not, or not switched on: use a kernel of Debian 12 or later",
            ja="このカーネルにはないか、無効です。Debian 12以降のカーネルを使ってください",
        ),
        "doctor-cure-pip": Message(
            en="in masugata's own environment: pip install 'masugata{extra}'",
            ja="masugata専用の環境で実行してください: pip install 'masugata{extra}'",
        ),
        "doctor-cure-locale": Message(
            en="export LANG=C.UTF-8 (or ja_JP.UTF-8)", ja="export LANG=ja_JP.UTF-8 (または C.UTF-8)"
        ),
        "doctor-cure-net-admin": Message(
            en="run as root, or give the service CAP_NET_ADMIN alone",
            ja="rootで実行するか、サービスにCAP_NET_ADMINだけを与えてください",
        ),
        "doctor-ready": Message(
            en="lab and gateway can run here", ja="この機械でlabとゲートウェイを実行できます"
        ),
        "doctor-not-ready": Message(
            en="lab and gateway cannot run here yet: {count} needed things are missing",
            ja="この機械ではまだlabとゲートウェイを実行できません: 必要なものが{count}件不足しています",
        ),
    }
)
