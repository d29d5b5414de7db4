"""The words of the policy domain, in both languages: problems of a policy, reasons, outcomes."""

from __future__ import annotations

from zones.messages import Message, declare

declare(
    {
        # --- errors every package may raise ---
        "limit-exceeded": Message(
            en="{name}: seen {seen}, limit {limit}", ja="{name}: {seen} は上限 {limit} を超えています"
        ),
        "policy-invalid": Message(
            en="the policy has {count} problem(s)", ja="ポリシーに問題が {count} 件あります"
        ),
        "policy-empty-directory": Message(
            en="no *.yaml file in {path}",
            ja="{path} に *.yaml ファイルがありません",
            hint_en="name a policy file, or a directory that holds one",
            hint_ja="ポリシーファイル、またはそれを含むディレクトリを指定してください",
        ),
        "policy-file-suffix": Message(
            en="{path} would not be read: only files named *.yaml are",
            ja="{path} は読み込まれません。読み込むのは *.yaml という名前のファイルだけです",
            hint_en="rename it to {name}, or move it out of the policy's directory",
            hint_ja="{name} に名前を変えるか、ポリシーのディレクトリの外へ移してください",
        ),
        "file-unreadable": Message(
            en="cannot read {path}: {detail}",
            ja="{path} を読めません: {detail}",
            hint_en="check the name and the permissions",
            hint_ja="名前と権限を確認してください",
        ),
        "file-not-utf8": Message(
            en="{path} is not UTF-8 text (byte {offset})",
            ja="{path} は UTF-8 の文章ではありません({offset} バイト目)",
            hint_en="save the file as UTF-8",
            hint_ja="ファイルを UTF-8 で保存してください",
        ),
        "file-too-large": Message(
            en="{path} is larger than {limit} bytes", ja="{path} が {limit} バイトを超えています"
        ),
        # --- YAML ---
        "yaml-syntax": Message(
            en="not valid YAML: {detail}",
            ja="YAML として読めません: {detail}",
            hint_en="look at this line and the one before: indentation (spaces, never tabs), a missing colon or an open quote",
            hint_ja="この行とその前の行を確認してください(字下げは半角スペースのみ、コロンの抜け、閉じていない引用符)",
        ),
        "yaml-too-large": Message(
            en="the file has {seen} characters, limit {limit}",
            ja="ファイルが {seen} 文字あり、上限 {limit} を超えています",
        ),
        "yaml-too-deep": Message(
            en="nested deeper than {limit} levels", ja="入れ子が {limit} 段を超えています"
        ),
        "yaml-alias": Message(
            en="YAML anchors and aliases are not used in policies",
            ja="ポリシーでは YAML のアンカーと別名は使えません",
            hint_en="use a group or a service name instead",
            hint_ja="代わりに groups または services の名前を使ってください",
        ),
        "yaml-tag": Message(
            en="YAML tags such as {tag} are not used in policies",
            ja="ポリシーでは {tag} のような YAML タグは使えません",
        ),
        "yaml-documents": Message(
            en="a second document begins here",
            ja="ここから二つ目の文書が始まっています",
            hint_en="one file holds one document: remove the `---`",
            hint_ja="一つのファイルには一つの文書です。`---` を取り除いてください",
        ),
        "yaml-key": Message(en="a key must be plain text", ja="キーは単純な文字列でなければなりません"),
        "duplicate-key": Message(
            en="the key '{key}' stands here again (first on line {first})",
            ja="キー '{key}' が重複しています(最初は {first} 行目)",
            hint_en="keep one of them",
            hint_ja="どちらか一方だけを残してください",
        ),
        # --- shape ---
        "unknown-key": Message(
            en="unknown key '{key}'",
            ja="未知のキー '{key}'",
            hint_en="perhaps {suggestion}",
            hint_ja="もしかして: {suggestion}",
        ),
        "missing-key": Message(en="the key '{key}' is missing", ja="キー '{key}' がありません"),
        "not-a-mapping": Message(
            en="'{key}' must be a mapping (key: value)",
            ja="'{key}' はマッピング(キー: 値)でなければなりません",
        ),
        "not-a-list": Message(en="'{key}' must be a list", ja="'{key}' は一覧でなければなりません"),
        "not-text": Message(en="'{key}' must be text", ja="'{key}' は文字列でなければなりません"),
        "not-a-number": Message(en="'{key}' must be a whole number", ja="'{key}' は整数でなければなりません"),
        "empty-list": Message(en="'{key}' is empty", ja="'{key}' が空です"),
        "bad-shape": Message(
            en="'{key}' does not fit: {detail}", ja="'{key}' の形が正しくありません: {detail}"
        ),
        "bad-name": Message(
            en="'{value}' cannot be a name",
            ja="'{value}' は名前に使えません",
            hint_en="1 to 32 letters, digits, dots, dashes and underscores; letters or digits at both ends",
            hint_ja="1~32 文字の英数字・点・ハイフン・下線。両端は英数字",
        ),
        "bad-interface": Message(
            en="'{value}' cannot be an interface name",
            ja="'{value}' はインタフェース名に使えません",
            hint_en="at most 15 letters, digits, dots, dashes and underscores",
            hint_ja="英数字・点・ハイフン・下線で 15 文字以内",
        ),
        "bad-network": Message(
            en="'{value}' is not a network",
            ja="'{value}' はネットワークではありません",
            hint_en="write a prefix without host bits, such as 10.20.0.0/16 or 2001:db8::/32",
            hint_ja="10.20.0.0/16 や 2001:db8::/32 のように、ホスト部のないプレフィックスで書いてください",
        ),
        "host-bits": Message(
            en="'{value}' has bits set beyond its prefix length",
            ja="'{value}' はプレフィックス長より後ろのビットが立っています",
            hint_en="the network is {network}; for the one machine write {address}",
            hint_ja="ネットワークなら {network}、一台の機器なら {address} と書いてください",
        ),
        "bad-address": Message(
            en="'{value}' is not an address",
            ja="'{value}' はアドレスではありません",
            hint_en="write one address, such as 10.20.5.25; a network goes into `groups`",
            hint_ja="10.20.5.25 のように一つのアドレスを書いてください。ネットワークは `groups` に書きます",
        ),
        "bad-mac": Message(
            en="'{value}' is not a MAC address",
            ja="'{value}' は MAC アドレスではありません",
            hint_en='write it as "02:00:0a:0a:05:0a"',
            hint_ja='"02:00:0a:0a:05:0a" の形で書いてください',
        ),
        "bad-date": Message(
            en="'{value}' is not a date",
            ja="'{value}' は日付ではありません",
            hint_en="write it as 2027-03-31; the day itself still counts",
            hint_ja="2027-03-31 の形で書いてください。当日までが有効です",
        ),
        "date-out-of-range": Message(
            en="'{value}' is no date of this policy: years go from {first} to {last}",
            ja="'{value}' は使えません。年は {first} から {last} までです",
            hint_en="for something that does not end, leave the date out; lint asks for the reason",
            hint_ja="終わりを決めないときは日付を書かないでください。lint が理由を尋ねます",
        ),
        "empty-value": Message(
            en="'{key}' has no value",
            ja="'{key}' に値がありません",
            hint_en="write the value, or take the key out: an empty one is not taken for the default",
            hint_ja="値を書くか、キーごと消してください。空欄を既定値とはみなしません",
        ),
        "no-hours": Message(
            en="the hours begin and end at {value}: nothing is open",
            ja="開始と終了が同じ {value} で、開いている時間がありません",
            hint_en="leave `to` out to stay open until midnight, or take `from` and `to` out for the whole day",
            hint_ja="24 時までなら `to` を、終日なら `from` と `to` を書かないでください",
        ),
        "bad-count": Message(
            en="'{value}' is not a whole number from 0 to 1000000",
            ja="'{value}' は 0 から 1000000 までの整数ではありません",
            hint_en="write digits only, without leading zeros",
            hint_ja="数字だけを、先頭の 0 を付けずに書いてください",
        ),
        "bad-moment": Message(
            en="'{value}' is neither a date nor a moment",
            ja="'{value}' は日付でも日時でもありません",
            hint_en="write it as 2027-04-01, or as 2027-04-01T09:00 in the policy's own time zone",
            hint_ja="2027-04-01、またはポリシーのタイムゾーンで 2027-04-01T09:00 の形で書いてください",
        ),
        "bad-now": Message(
            en="'{value}' is neither a date nor a moment",
            ja="'{value}' は日付でも日時でもありません",
            hint_en="write --now 2027-04-01 or --now 2027-04-01T09:00+09:00; without an offset the policy's time zone counts",
            hint_ja="--now 2027-04-01 または --now 2027-04-01T09:00+09:00 の形で書いてください。時差がなければポリシーのタイムゾーンです",
        ),
        "bad-time": Message(
            en="'{value}' is not a time of day",
            ja="'{value}' は時刻ではありません",
            hint_en='write it as "08:30", in quotes',
            hint_ja='"08:30" のように引用符付きで書いてください',
        ),
        "bad-days": Message(
            en="'{value}' are not weekdays",
            ja="'{value}' は曜日ではありません",
            hint_en="write mon-fri, or mon,wed,fri",
            hint_ja="mon-fri または mon,wed,fri の形で書いてください",
        ),
        "bad-flag": Message(
            en="'{value}' is neither true nor false", ja="'{value}' は true でも false でもありません"
        ),
        "unknown-lint-code": Message(
            en="lint has no code '{value}'",
            ja="lint に '{value}' という指摘コードはありません",
            hint_en="perhaps {suggestion}; docs/reference/lint.md lists them all",
            hint_ja="もしかして: {suggestion}。一覧は docs/reference/lint.md にあります",
        ),
        "empty-reason": Message(
            en="a reason is missing here",
            ja="理由が書かれていません",
            hint_en="say who looked at it and why it is acceptable: whoever reads it next year must be able to tell",
            hint_ja="だれが確認し、なぜ許容できるのかを書いてください。来年読む人にも分かるように",
        ),
        "bad-service": Message(
            en="'{value}' is not a service",
            ja="'{value}' はサービスではありません",
            hint_en="write tcp/443, udp/5000-5010, icmp/echo-request, proto/50 or any",
            hint_ja="tcp/443、udp/5000-5010、icmp/echo-request、proto/50、any のように書いてください",
        ),
        "bad-timezone": Message(
            en="unknown time zone '{value}'",
            ja="未知のタイムゾーン '{value}'",
            hint_en="use an IANA name such as Asia/Tokyo",
            hint_ja="Asia/Tokyo のような IANA の名前を使ってください",
        ),
        "bad-action": Message(
            en="unknown action '{value}'",
            ja="未知の動作 '{value}'",
            hint_en="allow, deny, sanitize:mail, sanitize:web, render or file-transfer",
            hint_ja="allow、deny、sanitize:mail、sanitize:web、render、file-transfer のいずれかです",
        ),
        "bad-mode": Message(
            en="unknown mode '{value}'",
            ja="未知のモード '{value}'",
            hint_en="enforce, audit or disabled",
            hint_ja="enforce、audit、disabled のいずれかです",
        ),
        "bad-class": Message(
            en="unknown zone class '{value}'",
            ja="未知の領域区分 '{value}'",
            hint_en="mynumber, lgwan, internet, outside or other",
            hint_ja="mynumber、lgwan、internet、outside、other のいずれかです",
        ),
        "bad-packet": Message(
            en="'{value}' is not a packet",
            ja="'{value}' はパケットの記述ではありません",
            hint_en='write "mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443"',
            hint_ja='"mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443" の形で書いてください',
        ),
        "packet-zone": Message(
            en="{address} is not in zone '{zone}' but in '{actual}'",
            ja="{address} は領域 '{zone}' ではなく '{actual}' に属します",
            hint_en="correct the address, or write '{actual}' before it",
            hint_ja="アドレスを直すか、その前に '{actual}' と書いてください",
        ),
        "packet-no-zone": Message(
            en="{address} is not in zone '{zone}': it belongs to no zone",
            ja="{address} は領域 '{zone}' に属さず、どの領域のものでもありません",
            hint_en="correct the address, or write it without a zone",
            hint_ja="アドレスを直すか、領域を付けずに書いてください",
        ),
        "packet-families": Message(
            en="'{source}' and '{destination}' have no address family in common",
            ja="'{source}' と '{destination}' に共通のアドレス種別(IPv4/IPv6)がありません",
        ),
        "packet-many": Message(
            en="'{value}' stands for more than {limit} packets",
            ja="'{value}' は {limit} 個を超えるパケットを意味します",
            hint_en="name one port of the service",
            hint_ja="サービスのうち一つのポートを書いてください",
        ),
        "packet-many-addresses": Message(
            en="'{name}' is many addresses; a packet has one",
            ja="'{name}' は多数のアドレスです。パケットのアドレスは一つです",
            hint_en="write a host or an address, such as {example}",
            hint_ja="ホスト名か、{example} のようなアドレスを書いてください",
        ),
        "packet-by-name": Message(
            en="'{name}' is known by domain name only; it has no address",
            ja="'{name}' はドメイン名でのみ知られ、アドレスがありません",
            hint_en="ask about an address of the zone it lies in",
            hint_ja="それが属する領域のアドレスで尋ねてください",
        ),
        "packet-no-gateway": Message(
            en="the gateway has no address on the segment of '{zone}'",
            ja="'{zone}' のセグメントにゲートウェイのアドレスがありません",
            hint_en="add `gateway:` to the zone",
            hint_ja="その領域に `gateway:` を加えてください",
        ),
        "packet-service": Message(
            en="'{value}' does not say which port or type",
            ja="'{value}' だけではポートや種別が決まりません",
            hint_en="write tcp/443, udp/53 or icmp/echo-request",
            hint_ja="tcp/443、udp/53、icmp/echo-request のように書いてください",
        ),
        "bad-expectation": Message(
            en="'{value}' is no outcome or reason",
            ja="'{value}' は判定でも理由でもありません",
            hint_en="allow, deny, sanitize:mail, sanitize:web, or a reason such as default-deny",
            hint_ja="allow、deny、sanitize:mail、sanitize:web、または default-deny などの理由",
        ),
        # --- files and sections ---
        "schema-version": Message(
            en="schema {seen} is not known; this version reads schema {known}",
            ja="schema {seen} は未対応です。この版が読めるのは schema {known} です",
        ),
        "missing-section": Message(
            en="the section '{section}' is missing",
            ja="'{section}' の節がありません",
            hint_en="see examples/sample-city for a complete policy",
            hint_ja="完全な例は examples/sample-city にあります",
        ),
        "section-twice": Message(
            en="'{section}' is given in two files", ja="'{section}' が二つのファイルにあります"
        ),
        # --- names ---
        "duplicate-name": Message(
            en="'{name}' is defined already in {first}", ja="'{name}' はすでに {first} で定義されています"
        ),
        "duplicate-id": Message(
            en="the id '{id}' is used already ({first})",
            ja="id '{id}' はすでに使われています({first})",
            hint_en="flows, guards and invariants share one set of ids",
            hint_ja="flows、guards、invariants の id は互いに重複できません",
        ),
        "ambiguous-name": Message(
            en="'{name}' already names something in {first}",
            ja="'{name}' はすでに {first} の名前です",
            hint_en="zones, hosts, groups and names share one set of names; 'gateway' is reserved",
            hint_ja="zones、hosts、groups、names の名前は互いに重複できません。'gateway' は予約語です",
        ),
        "reserved-name": Message(en="'{name}' is reserved", ja="'{name}' は予約語です"),
        "unknown-name": Message(
            en="nothing is called '{name}'",
            ja="'{name}' という名前はありません",
            hint_en="define it, or correct the spelling",
            hint_ja="定義するか、綴りを直してください",
        ),
        "unknown-name-near": Message(
            en="nothing is called '{name}'",
            ja="'{name}' という名前はありません",
            hint_en="did you mean '{suggestion}'?",
            hint_ja="'{suggestion}' のことですか?",
        ),
        "unknown-number": Message(
            en="nothing is called '{name}'",
            ja="'{name}' という名前はありません",
            hint_en="if it was taken out, take it out here too; those next to it by number are {suggestion}",
            hint_ja="削除したものなら、ここからも取り除いてください。番号の前後にあるのは {suggestion} です",
        ),
        "full-width": Message(
            en="'{value}' is written with full-width characters: {seen}",
            ja="'{value}' に全角文字が使われています: {seen}",
            hint_en="write {suggestion}",
            hint_ja="半角で {suggestion} と書いてください",
        ),
        "address-not-name": Message(
            en="{address} is an address; a name is wanted here",
            ja="{address} はアドレスです。ここには名前を書きます",
            hint_en="this address is called: {suggestion}",
            hint_ja="このアドレスの名前: {suggestion}",
        ),
        "address-without-name": Message(
            en="{address} is an address; a name is wanted here",
            ja="{address} はアドレスです。ここには名前を書きます",
            hint_en="give it a name under `hosts` (a network under `groups`), and write that",
            hint_ja="`hosts`(ネットワークなら `groups`)で名前を付け、その名前を書いてください",
        ),
        "unknown-clause": Message(
            en="there is no clause '{clause}'",
            ja="'{clause}' という条文はありません",
            hint_en="perhaps {suggestion}; `masugata report --clauses` lists them all",
            hint_ja="もしかして: {suggestion}。条文の一覧は `masugata report --clauses` で確認できます",
        ),
        "name-without-zone": Message(
            en="'{name}' has no zone, and no zone is of class outside",
            ja="'{name}' に zone がなく、区分 outside の領域もありません",
            hint_en="add `zone:` to it",
            hint_ja="`zone:` を加えてください",
        ),
        "empty-group": Message(en="the group '{name}' holds nothing", ja="グループ '{name}' が空です"),
        # --- meaning ---
        "overlapping-zones": Message(
            en="{network} of '{zone}' overlaps {taken} of '{other}'",
            ja="'{zone}' の {network} が '{other}' の {taken} と重なっています",
            hint_en="an address belongs to one zone; only 0.0.0.0/0 and ::/0 may hold others, and mean the rest",
            hint_ja="アドレスは一つの領域に属します。他を含めるのは 0.0.0.0/0 と ::/0 だけで、残り全体を意味します",
        ),
        "interface-twice": Message(
            en="the interface {interface} belongs to '{other}' already",
            ja="インタフェース {interface} はすでに '{other}' のものです",
        ),
        "address-twice": Message(
            en="{address} of '{name}' belongs to '{other}' already",
            ja="'{name}' の {address} はすでに '{other}' のものです",
            hint_en="one address is one machine: correct it, or give both names the same `mac:`",
            hint_ja="一つのアドレスは一台の機器です。アドレスを直すか、両方に同じ `mac:` を書いてください",
        ),
        "address-outside-zone": Message(
            en="{network} of '{name}' is not in zone '{zone}' but in '{owner}'",
            ja="'{name}' の {network} は領域 '{zone}' ではなく '{owner}' に属します",
            hint_en="correct the address, or the zone",
            hint_ja="アドレスか zone を直してください",
        ),
        "address-in-no-zone": Message(
            en="{network} of '{name}' is not in zone '{zone}': it belongs to no zone",
            ja="'{name}' の {network} は領域 '{zone}' に属さず、どの領域のものでもありません",
            hint_en="correct the address, or give '{zone}' the network that holds it",
            hint_ja="アドレスを直すか、それを含むネットワークを '{zone}' に加えてください",
        ),
        "network-beyond-zone": Message(
            en="{network} of '{name}' reaches beyond zone '{zone}'",
            ja="'{name}' の {network} は領域 '{zone}' からはみ出しています",
            hint_en="write a longer prefix, one that '{zone}' holds whole",
            hint_ja="'{zone}' に全体が収まる、より長いプレフィックスで書いてください",
        ),
        "guard-needs-zone": Message(
            en="a guard stands between zones; '{name}' is none",
            ja="guards は領域の間に置きます。'{name}' は領域ではありません",
        ),
        "name-as-source": Message(
            en="a connection cannot come from a domain name", ja="ドメイン名を通信元にはできません"
        ),
        "deny-expires": Message(
            en="'{id}' denies: it cannot expire",
            ja="'{id}' は deny なので、期限を持てません",
            hint_en="a deny that vanished by itself would open what it holds shut; remove `expires`",
            hint_ja="自然に消える deny は、閉じていたものを開いてしまいます。`expires` を取り除いてください",
        ),
        "deny-hours": Message(
            en="'{id}' denies: it cannot have hours",
            ja="'{id}' は deny なので、時間帯を持てません",
            hint_en="give the hours to the flow that allows",
            hint_ja="許可するフローの方に時間帯を付けてください",
        ),
        "gateway-to-gateway": Message(
            en="'{id}' leads from the gateway to itself", ja="'{id}' はゲートウェイから自身への通信です"
        ),
        "carried-to-gateway": Message(
            en="'{id}': {action} carries from one zone into another; the gateway itself is neither end",
            ja="'{id}': {action} は領域から領域へ渡す動作です。ゲートウェイ自身は送信元にも宛先にもなりません",
            hint_en="name the machine behind the gateway; what the gateway itself serves is opened with `allow`",
            hint_ja="ゲートウェイの先にある機器を書いてください。ゲートウェイ自身が提供するものは `allow` で開けます",
        ),
        "sanitize-mail-service": Message(
            en="'{id}': mail is sanitised on tcp/25 and tcp/587 only",
            ja="'{id}': メールの無害化は tcp/25 と tcp/587 だけです",
        ),
        "sanitize-web-service": Message(
            en="'{id}': web is sanitised on TCP only", ja="'{id}': Web の無害化は TCP だけです"
        ),
        "render-service": Message(
            en="'{id}': screens are carried for http and https only",
            ja="'{id}': 画面転送は http と https だけです",
            hint_en="name the web ports; remote desktop (3389) is not served",
            hint_ja="Web のポートを書いてください。リモートデスクトップ(3389)は未対応です",
        ),
        "invariant-shape": Message(
            en="'{id}' is neither `never: {{from, to}}` nor `from, to, require_action`",
            ja="'{id}' は `never: {{from, to}}` でも `from, to, require_action` でもありません",
        ),
        "exception-without-reason": Message(
            en="'{id}' makes exceptions without saying why",
            ja="'{id}' の例外に理由がありません",
            hint_en="add `because:`",
            hint_ja="`because:` を加えてください",
        ),
        # --- tests of the policy ---
        "test-failed": Message(
            en="{packet}: expected {expected}, got {got}",
            ja="{packet}: 期待 {expected}、結果 {got}",
            hint_en="`masugata explain` shows the way to this verdict",
            hint_ja="`masugata explain` でこの判定に至る道筋を確認できます",
        ),
        "flow-expired": Message(
            en="the flow '{id}' of {owner} expired on {expires}",
            ja="フロー '{id}'({owner})は {expires} で期限が切れています",
            hint_en="renew it with a ticket, or take it out",
            hint_ja="申請のうえ更新するか、取り除いてください",
        ),
        # --- the verbs that ask a policy ---
        "check-help": Message(
            en="Check a policy (files, or a directory of *.yaml; several are one policy): every problem at once, then its own tests and invariants. Exit code 1: a test failed or an invariant is violated; 2: the policy has problems; 4: an invariant could not be decided.",
            ja="ポリシーを検査します(ファイル、または *.yaml のあるディレクトリ。複数なら合わせて一つのポリシー)。問題はすべて一度に示し、続いてポリシー自身のテストと不変条件の証明を行います。終了コード 1: テスト失敗または不変条件の破れ、2: ポリシーに問題あり、4: 決められない不変条件あり。",
        ),
        "option-now": Message(
            en="judge as of this date or moment (default: now)",
            ja="この日付・日時の時点で判定する(既定は現在)",
        ),
        "query-help": Message(
            en='Ask the verdict for packets such as "mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443" or, with names of the policy, "renkei > shinsei-asp https"; `-` reads them from stdin, one a line. The policy is the first argument, or --policy. Exit code 0 whatever the verdict, unless --expect says otherwise.',
            ja='"mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443" や、ポリシーの名前を使った "renkei > shinsei-asp https" のようなパケットの判定を尋ねます。`-` は標準入力から一行に一つ読みます。ポリシーは最初の引数か --policy で指定します。判定の内容によらず終了コードは 0 です(--expect を除く)。',
        ),
        "option-policy": Message(
            en="the policy: a file, or a directory of *.yaml",
            ja="ポリシー(ファイル、または *.yaml のあるディレクトリ)",
        ),
        "option-state": Message(
            en="what connection tracking knows of the packet (default: new)",
            ja="接続追跡がこのパケットについて知っている状態(既定は new)",
        ),
        "option-flow": Message(
            en="the flow that admitted its connection (implies --state established)",
            ja="その接続を許可したフロー(--state established を含意)",
        ),
        "option-expect": Message(
            en="exit with 1 unless every verdict has this outcome or reason",
            ja="すべての判定がこの結果または理由でなければ終了コード 1",
        ),
        "query-nothing-asked": Message(
            en="no packet to ask about",
            ja="尋ねるパケットがありません",
            hint_en='masugata query POLICY "mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443"',
            hint_ja='masugata query ポリシー "mynumber:10.10.3.4 > outside:198.51.100.1 tcp/443"',
        ),
        "query-stdin-twice": Message(
            en="policy and packets cannot both come from stdin",
            ja="ポリシーとパケットの両方を標準入力から読むことはできません",
        ),
        "query-unexpected": Message(en="{packet}: not {expected}", ja="{packet}: {expected} ではありません"),
        "query-also": Message(en="  also matching: {ids}", ja="  ほかに一致: {ids}"),
        "query-audited": Message(
            en="  audit mode, without part in the verdict: {ids}",
            ja="  監査モード(判定には加わらない): {ids}",
        ),
        # --- explain ---
        "explain-help": Message(
            en="Explain the verdict for packets, written as for `query`: whose addresses they are, the guards and flows looked at, the decision, its owner, ticket and clause; for a deny, the nearest flows and the fields that failed.",
            ja="パケット(書き方は query と同じ)の判定を説明します。どの領域のアドレスか、見たガードとフロー、判定、その所管・申請番号・条文を示し、拒否の場合は最も近いフローと一致しなかった項目を示します。",
        ),
        "explain-packet": Message(en="packet", ja="パケット"),
        "explain-moment": Message(en="at", ja="時点"),
        "explain-state": Message(en="state", ja="状態"),
        "explain-connection": Message(
            en="{state}, admitted by {flow}", ja="{state}(接続を許可したもの: {flow})"
        ),
        "explain-nobody": Message(en="nobody", ja="なし"),
        "explain-source": Message(en="from", ja="送信元"),
        "explain-destination": Message(en="to", ja="宛先"),
        "explain-inferred": Message(
            en="no interface known: the zone was taken from the address, spoofing is not judged",
            ja="受信インタフェース不明: 領域はアドレスから推定し、詐称は判定していない",
        ),
        "explain-spoofed": Message(
            en="it came in from {ingress}: address and interface (or MAC) do not belong together",
            ja="{ingress} から届いた: アドレスとインタフェース(またはMAC)が合わない",
        ),
        "explain-whose-prefix": Message(
            en="{address} is in {zone} ({prefix})", ja="{address} は {zone} ({prefix})"
        ),
        "explain-whose-rest": Message(
            en="{address} is in {zone} ({prefix}: what no other zone has)",
            ja="{address} は {zone} ({prefix}: ほかの領域に属さない残り)",
        ),
        "explain-whose-ours": Message(en="{address} is our own address", ja="{address} はゲートウェイ自身"),
        "explain-whose-ours-elsewhere": Message(
            en="{address} is our own address on another segment ({zone})",
            ja="{address} は別のセグメント({zone})にあるゲートウェイ自身のアドレス",
        ),
        "explain-whose-management": Message(
            en="{address} is in the management segment ({prefix})", ja="{address} は管理セグメント({prefix})"
        ),
        "explain-whose-martian": Message(
            en="{address} is an address that nobody may forward",
            ja="{address} は中継してはならないアドレス",
        ),
        "explain-whose-nobody": Message(
            en="{address} belongs to no zone", ja="{address} はどの領域にも属さない"
        ),
        "explain-guard": Message(en="guard {id}", ja="ガード {id}"),
        "explain-guard-forbids": Message(en="forbids {actions}", ja="{actions}を禁じる"),
        "explain-everything": Message(en="everything, replies too", ja="応答も含めすべて"),
        "explain-guard-decides": Message(en="decides", ja="これにより判定"),
        "explain-guard-silent": Message(en="says nothing here", ja="今回は該当しない"),
        "explain-flows": Message(en="flows", ja="フロー"),
        "explain-flows-between": Message(
            en="{count} lead from zone to zone here, {matching} match and are open",
            ja="この領域間に {count} 件、うち一致して有効なもの {matching} 件",
        ),
        "explain-audited": Message(
            en="{id} matches in audit mode, without part in the verdict",
            ja="{id} は監査モードで一致(判定には加わらない)",
        ),
        "explain-verdict": Message(en="verdict", ja="判定"),
        "explain-flow": Message(en="decided by", ja="決めたフロー"),
        "explain-owner": Message(en="owner", ja="所管"),
        "explain-ticket": Message(en="ticket", ja="申請番号"),
        "explain-expires": Message(en="expires", ja="期限"),
        "explain-justification": Message(en="why", ja="理由"),
        "explain-basis": Message(en="clause", ja="条文"),
        "explain-place": Message(en="written in", ja="記載箇所"),
        "explain-nearest": Message(en="nearest", ja="近いもの"),
        "explain-helpless-guard": Message(
            en="none helps: no flow opens what this guard closes",
            ja="なし: このガードが閉じる方向はどのフローでも開かない",
        ),
        "explain-helpless-flow": Message(
            en="none helps: what decided stands above every `allow`",
            ja="なし: 決めたものはどの allow よりも優先する",
        ),
        "explain-helpless-way": Message(
            en="not needed: the way is open, but not for direct packets",
            ja="不要: 経路は開いているが、直接のパケットでは通れない",
        ),
        "explain-helpless-place": Message(
            en="none helps: the packet itself is refused, before any flow is asked",
            ja="なし: フローを見る前にパケット自体が拒否される",
        ),
        "explain-miss-source-zone": Message(
            en="from zone {wanted}, not {seen}", ja="送信元の領域は {wanted} ({seen} ではない)"
        ),
        "explain-miss-source": Message(
            en="from {wanted}, not {seen} ({distance} bits short)",
            ja="送信元は {wanted} ({seen} ではない。{distance} ビット不足)",
        ),
        "explain-miss-destination-zone": Message(
            en="to zone {wanted}, not {seen}", ja="宛先の領域は {wanted} ({seen} ではない)"
        ),
        "explain-miss-destination": Message(
            en="to {wanted}, not {seen} ({distance} bits short)",
            ja="宛先は {wanted} ({seen} ではない。{distance} ビット不足)",
        ),
        "explain-miss-by-name": Message(
            en="to the domain name {wanted}; addresses such as {seen} never match",
            ja="宛先はドメイン名 {wanted}。{seen} のようなアドレスとは一致しない",
        ),
        "explain-miss-protocol": Message(
            en="for {wanted}, not protocol {seen}", ja="サービスは {wanted} (プロトコル {seen} ではない)"
        ),
        "explain-miss-port": Message(
            en="for {wanted}, not port {seen} ({distance} away)",
            ja="サービスは {wanted} (ポート {seen} ではない。差 {distance})",
        ),
        "explain-miss-mode": Message(en="its mode is {seen}", ja="モードが {seen}"),
        "explain-miss-expired": Message(
            en="expired on {wanted}, {distance} day(s) ago", ja="{wanted} で期限切れ({distance} 日経過)"
        ),
        "explain-miss-hours": Message(
            en="closed at {seen}; opens next at {wanted}", ja="{seen} は時間外。次に開くのは {wanted}"
        ),
        "explain-miss-approval": Message(
            en="opens only once {wanted} people have approved", ja="{wanted} 名の承認があったときだけ開く"
        ),
        # --- matrix ---
        "matrix-help": Message(
            en="Show which zone may reach which, and how: the open flows by action, and the guards that close a direction. Rows are where connections come from, columns where they go.",
            ja="どの領域からどの領域へ、どのように到達できるかを示します(有効なフローの動作別の件数と、方向を閉じるガード)。行が接続元、列が接続先です。",
        ),
        "option-hosts": Message(en="hosts instead of zones", ja="領域の代わりにホストで示す"),
        "option-format": Message(en="how to write the matrix", ja="書き出す形式"),
        "matrix-many-hosts": Message(
            en="{count} hosts are too many for a matrix, limit {limit}",
            ja="ホストが {count} 台あり、一覧の上限 {limit} 台を超えています",
            hint_en="leave out --hosts, or ask `masugata query` about the pairs you need",
            hint_ja="--hosts を外すか、必要な組み合わせを `masugata query` で尋ねてください",
        ),
        "matrix-corner": Message(en="from \\ to", ja="元 \\ 先"),
        "matrix-title": Message(
            en="{name}: who may reach whom, at {moment}", ja="{name}: 到達可否 ({moment} 時点)"
        ),
        "matrix-revision": Message(en="revision {revision}", ja="版 {revision}"),
        "matrix-allow": Message(en="allow {count}", ja="許可 {count}"),
        "matrix-deny": Message(en="deny {count}", ja="拒否 {count}"),
        "matrix-sanitize:mail": Message(en="mail {count}", ja="メール無害化 {count}"),
        "matrix-sanitize:web": Message(en="web {count}", ja="Web無害化 {count}"),
        "matrix-render": Message(en="screen {count}", ja="画面転送 {count}"),
        "matrix-file-transfer": Message(en="files {count}", ja="ファイル受渡し {count}"),
        "matrix-guard": Message(en="closed {ids}", ja="閉鎖 {ids}"),
        "matrix-barred": Message(en="{id}: no {actions}", ja="{id}: {actions} 不可"),
        "matrix-dormant": Message(en="asleep {count}", ja="休止 {count}"),
        "matrix-audited": Message(en="audit {count}", ja="監査 {count}"),
        "matrix-nothing": Message(en="-", ja="-"),
        "matrix-legend-allow": Message(en="forwarded as it is", ja="そのまま中継"),
        "matrix-legend-deny": Message(en="refused by a flow", ja="フローによる拒否"),
        "matrix-legend-sanitize:mail": Message(en="mail, rebuilt by our proxy", ja="メールを作り直して渡す"),
        "matrix-legend-sanitize:web": Message(en="web, through our proxy", ja="Webを中継装置に通す"),
        "matrix-legend-render": Message(en="pixels only", ja="画面だけを渡す"),
        "matrix-legend-file-transfer": Message(en="files through the portal", ja="窓口でのファイル受渡し"),
        "matrix-legend-guard": Message(en="closed by a guard, replies too", ja="ガードで閉鎖(応答も不可)"),
        "matrix-legend-barred": Message(
            en="a guard forbids new connections of this kind", ja="ガードがこの種の新しい接続を禁じる"
        ),
        "matrix-legend-dormant": Message(
            en="closed for now: expired, outside its hours or not approved",
            ja="いまは閉じている(期限切れ・時間外・未承認)",
        ),
        "matrix-legend-audited": Message(
            en="only noted, no part in verdicts", ja="記録のみ(判定に加わらない)"
        ),
        "matrix-legend-nothing": Message(en="nothing allows it: refused", ja="許可なし(拒否)"),
        "matrix-legend-within": Message(
            en="A zone with itself: only what passes the gateway; neighbours on one segment reach each other without it.",
            ja="同じ領域どうし: ゲートウェイを通るものだけ。同じセグメントの機器どうしはゲートウェイを通らずに届く。",
        ),
        "option-strict": Message(
            en="lint's errors and warnings fail it too", ja="lint のエラーと警告も失敗とみなす"
        ),
        "check-summary": Message(
            en="{name}: {zones} zones, {hosts} hosts, {flows} flows, {guards} guards; {passed} of {tests} tests passed; {proved} of {invariants} invariants proved; revision {revision}",
            ja="{name}: 領域 {zones}、ホスト {hosts}、フロー {flows}、ガード {guards}。テスト {tests} 件中 {passed} 件合格。不変条件 {invariants} 件中 {proved} 件証明。版 {revision}",
        ),
        # --- outcomes and reasons ---
        "outcome-allow": Message(en="allow", ja="許可"),
        "outcome-deny": Message(en="deny", ja="拒否"),
        "outcome-sanitize:mail": Message(en="sanitise mail", ja="メール無害化"),
        "outcome-sanitize:web": Message(en="sanitise web", ja="Web無害化"),
        "reason-flow": Message(en="a flow says so", ja="フローによる"),
        "reason-guard": Message(en="a guard forbids this direction", ja="ガードがこの方向を禁じている"),
        "reason-default-deny": Message(en="no flow allows it", ja="許可するフローがない"),
        "reason-would-deny": Message(en="passes only during the trial period", ja="試行期間中のみ通過"),
        "reason-expired": Message(en="the flow has expired", ja="フローの期限切れ"),
        "reason-outside-hours": Message(en="outside the flow's hours", ja="フローの時間帯外"),
        "reason-needs-approval": Message(en="the flow opens only by approval", ja="フローは承認が必要"),
        "reason-unknown-zone": Message(en="an address belongs to no zone", ja="どの領域にも属さないアドレス"),
        "reason-spoofed-source": Message(
            en="the source address does not belong to where it came from", ja="送信元アドレスの詐称"
        ),
        "reason-misrouted": Message(
            en="it would leave by another zone's interface", ja="宛先領域と経路の不一致"
        ),
        "reason-malformed": Message(en="the packet is malformed", ja="不正な形式のパケット"),
        "reason-invalid-state": Message(en="it belongs to no connection", ja="どの接続にも属さない"),
        "reason-use-render": Message(en="reachable by screen transfer only", ja="画面転送でのみ到達可能"),
        "reason-use-portal": Message(
            en="reachable by the file portal only", ja="ファイル受渡しでのみ到達可能"
        ),
        "reason-no-proxy": Message(
            en="known by name only; no proxy serves it yet", ja="名前でのみ指定。対応するプロキシがまだない"
        ),
        "reason-management": Message(
            en="the management segment is never reached through the gateway",
            ja="管理セグメントへは中継しない",
        ),
        "reason-limit": Message(en="a limit was reached", ja="上限に達した"),
    }
)
