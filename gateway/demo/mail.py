"""The demonstration's mail: what a stranger might send, and the program that sends it with `smtplib`.

`python -m gateway.demo.mail HOST`: one mail in two forms (text in ISO-2022-JP and HTML in Shift_JIS) with a
remote image, a script, hidden text, a link that lies, and an attachment that is not what it says.
"""

from __future__ import annotations

import smtplib
import sys
from email.message import EmailMessage
from email.utils import formatdate

SENDER = "suzuki@supplier.example"
RECIPIENT = "zeimu@city.example.lg.jp"
MESSAGE_ID = "<demo-1@supplier.example>"
MARKER = "無害化の試験"

_TEXT = f"""税務課御中

{MARKER}のため見積書を送ります。
担当: 鈴木
"""
_HTML = f"""<html><head><style>.x {{display: none}}</style>
<script>document.location = "http://evil.example/"</script></head><body>
<h1>{MARKER}</h1>
<p>見積書は<a href="http://evil.example/login">https://www.city.example.lg.jp/</a>をご覧ください。</p>
<table><tr><th>品目</th><th>金額</th></tr><tr><td>更新作業</td><td>120,000円</td></tr></table>
<img src="http://tracker.example/open.gif" width="1" height="1">
<div style="display:none">この文は見えません</div>
</body></html>
"""
# An executable that calls itself a PDF.
_ATTACHMENT = b"MZ\x90\x00" + bytes(range(256)) * 8


def build() -> EmailMessage:
    """Return the mail."""
    message = EmailMessage()
    message["From"] = f"鈴木 <{SENDER}>"
    message["To"] = RECIPIENT
    message["Subject"] = f"見積書の送付({MARKER})"
    message["Date"] = formatdate(1_763_800_000, localtime=False)
    message["Message-ID"] = MESSAGE_ID
    message["X-Mailer"] = "Supplier Mailer 1.0"
    message.set_content(_TEXT, charset="iso-2022-jp", cte="7bit")
    message.add_alternative(_HTML, subtype="html", charset="shift_jis", cte="base64")
    message.add_attachment(_ATTACHMENT, maintype="application", subtype="pdf", filename="見積書.pdf")
    return message


def main() -> int:
    """Send the mail to the host named on the command line, port 25."""
    with smtplib.SMTP(sys.argv[1], 25, local_hostname="mx.city.example.lg.jp", timeout=20) as line:
        line.send_message(build(), SENDER, [RECIPIENT])
    return 0


if __name__ == "__main__":
    sys.exit(main())
