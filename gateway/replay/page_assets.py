"""Style and script of the HTML report: both inside the page, both named by hash in its security policy."""

from __future__ import annotations

import base64
import hashlib

STYLE = """
:root{color-scheme:light dark;--ink:#17202a;--soft:#5b6875;--paper:#f3f5f7;--card:#fff;--line:#dde3e8;
--allow:#2a9d6f;--mail:#3f7fd0;--web:#8a63d2;--deny:#d64545;--none:#a8b2bc;--heat:#3f7fd0;--shade:#0b1a2a14}
@media(prefers-color-scheme:dark){:root{--ink:#e7ecf0;--soft:#98a5b1;--paper:#0f1418;--card:#181f25;
--line:#2b353e;--allow:#43c08c;--mail:#6ba6f2;--web:#ae8ef0;--deny:#f06a6a;--none:#5d6973;--heat:#4c8fe6;
--shade:#0006}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);font-size:15px;line-height:1.55;
font-family:system-ui,-apple-system,"Segoe UI","Hiragino Sans","Noto Sans CJK JP","Noto Sans JP",
"Yu Gothic",
Meiryo,sans-serif}
main{max-width:76rem;margin:0 auto;padding:1.75rem 1.25rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .35rem;letter-spacing:-.01em}
h2{font-size:1.1rem;margin:0 0 .2rem}
p{margin:.2rem 0 .8rem}
.soft,.note{color:var(--soft)}
.note{font-size:.87rem;max-width:70ch}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.86em}
header .meta{display:flex;flex-wrap:wrap;gap:.3rem 1.5rem;color:var(--soft);font-size:.9rem;margin:0}
header .meta b{color:var(--ink);font-weight:600}
nav{display:flex;flex-wrap:wrap;gap:.35rem;margin:1rem 0 0;padding:0;font-size:.86rem}
nav a{color:var(--ink);text-decoration:none;border:1px solid var(--line);border-radius:99px;
padding:.12rem .75rem;
background:var(--card)}
nav a:hover{border-color:var(--heat)}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:1.15rem 1.3rem 1.25rem;
margin:1.1rem 0 0;box-shadow:0 1px 2px var(--shade)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.3rem,1fr));gap:.8rem;margin:1.2rem 0 0;
padding:0;
list-style:none}
.tiles li{background:var(--card);border:1px solid var(--line);border-top:4px solid var(--c,var(--line));
border-radius:12px;padding:.6rem .9rem .7rem;font-size:.87rem;color:var(--soft);
box-shadow:0 1px 2px var(--shade)}
.tiles b{display:block;font-size:1.55rem;line-height:1.25;color:var(--ink);
font-variant-numeric:tabular-nums}
.warn{border-left:4px solid var(--deny);background:color-mix(in oklab,var(--deny) 9%,var(--card));
border-radius:8px;
padding:.55rem .9rem;margin:.9rem 0 0}
.warn p{margin:0}
.allow{--c:var(--allow)}.sanitize-mail{--c:var(--mail)}.sanitize-web{--c:var(--web)}.deny{--c:var(--deny)}
.unparsed{--c:var(--none)}
.share{width:100%;height:12px;display:block;border-radius:99px;margin:1.1rem 0 0}
svg .allow{fill:var(--allow)}svg .sanitize-mail{fill:var(--mail)}svg .sanitize-web{fill:var(--web)}
svg .deny{fill:var(--deny)}svg .unparsed{fill:var(--none)}
svg .hit{fill:transparent}svg .slot:hover .hit{fill:var(--shade)}svg .gap{fill:var(--line)}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;margin:.35rem 0 .5rem;
font-size:.85rem;
color:var(--soft)}
.key li::before{content:"";display:inline-block;width:.7em;height:.7em;border-radius:3px;
background:var(--c);
margin-right:.45em}
.chart{display:block;width:100%;height:150px;border-bottom:1px solid var(--line)}
.chart.low{height:56px}
.scale{display:flex;justify-content:space-between;font-size:.78rem;color:var(--soft);margin:.6rem 0 .15rem}
.axis{display:flex;justify-content:space-between;font-size:.78rem;color:var(--soft);margin:.3rem 0 0;
font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;margin:0 -.35rem;padding:0 .35rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
h3{font-size:.98rem;margin:.9rem 0 .3rem}
th,td{text-align:left;padding:.42rem .6rem;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-size:.8rem;font-weight:600;color:var(--soft);white-space:nowrap}
tbody tr:last-child td{border-bottom:0}
tbody tr:hover td{background:color-mix(in oklab,var(--heat) 5%,transparent)}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.nowrap{white-space:nowrap}
.badge{display:inline-block;border-radius:99px;padding:0 .6rem;font-size:.8rem;font-weight:600;
white-space:nowrap;
color:var(--c);border:1px solid color-mix(in oklab,var(--c) 45%,transparent);
background:color-mix(in oklab,var(--c) 10%,transparent)}
.ends b{font-weight:600}.ends .soft{font-size:.86em}
.matrix{border-collapse:separate;border-spacing:4px;width:100%;table-layout:fixed}
.matrix th,.matrix td{border:0;padding:0;vertical-align:middle}
.matrix th:first-child{width:6.6rem}
.matrix thead th{text-align:center;padding:.2rem .4rem}
.matrix tbody th{padding:.2rem .7rem .2rem 0;text-align:right;color:var(--ink);font-size:.9rem}
.matrix tbody tr:hover td{background:none}
.matrix button,.matrix .none{display:block;width:100%;min-width:5.4rem;min-height:3.7rem;
border:1px solid var(--line);
border-radius:8px;background:var(--card);color:var(--ink);font:inherit;font-size:.87rem;line-height:1.3;
padding:.25rem}
.matrix .none{display:flex;align-items:center;justify-content:center;color:var(--none);border-style:dashed;
background:none}
.matrix button{cursor:pointer}
.matrix button:hover,.matrix button:focus-visible,
.matrix button[aria-expanded=true]{outline:2px solid var(--heat);
outline-offset:1px}
.matrix b{display:block;font-size:1.02rem;font-variant-numeric:tabular-nums}
.matrix i{font-style:normal;font-size:.8rem;color:var(--soft)}
.matrix i.deny{color:var(--deny);font-weight:600}
.h1{background:color-mix(in oklab,var(--heat) 7%,var(--card))!important}
.h2{background:color-mix(in oklab,var(--heat) 14%,var(--card))!important}
.h3{background:color-mix(in oklab,var(--heat) 22%,var(--card))!important}
.h4{background:color-mix(in oklab,var(--heat) 32%,var(--card))!important}
.h5{background:color-mix(in oklab,var(--heat) 44%,var(--card))!important}
.r1{background:color-mix(in oklab,var(--deny) 9%,var(--card))!important}
.r2{background:color-mix(in oklab,var(--deny) 17%,var(--card))!important}
.r3{background:color-mix(in oklab,var(--deny) 26%,var(--card))!important}
.r4{background:color-mix(in oklab,var(--deny) 36%,var(--card))!important}
.r5{background:color-mix(in oklab,var(--deny) 48%,var(--card))!important}
.pair{margin:.9rem 0 0;border-top:1px solid var(--line);padding:.8rem 0 0}
.pair h3{font-size:.98rem;margin:0 0 .3rem}
.denied{list-style:none;margin:.6rem 0 0;padding:0;display:grid;gap:.6rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,29rem),1fr))}
.denied li{display:grid;grid-template-columns:1fr auto;gap:.1rem 1rem;border:1px solid var(--line);
border-left:4px solid var(--deny);border-radius:8px;padding:.55rem .9rem .6rem}
.denied .n b{font-size:1.1rem}
.denied .do{grid-column:1/-1;font-size:.89rem;color:var(--soft);border-top:1px dashed var(--line);
padding-top:.35rem;
margin-top:.3rem}
.denied .do b{color:var(--ink)}
input[type=search]{font:inherit;width:min(26rem,100%);padding:.4rem .75rem;border:1px solid var(--line);
border-radius:8px;background:var(--paper);color:var(--ink);margin:.3rem 0 .7rem}
th[data-sort]{cursor:pointer;user-select:none}
th[data-sort]:hover{color:var(--ink)}
th[aria-sort=ascending]::after{content:" ▲"}th[aria-sort=descending]::after{content:" ▼"}
footer{color:var(--soft);font-size:.84rem;margin:1.6rem 0 0;overflow-wrap:anywhere}
@media(max-width:40rem){main{padding:1.1rem .8rem 3rem}section{padding:.95rem .9rem 1rem;border-radius:10px}
h1{font-size:1.32rem}.tiles{grid-template-columns:repeat(2,1fr);gap:.6rem}.tiles b{font-size:1.3rem}
.axis span:nth-child(even){display:none}
.stack thead{display:none}.stack,.stack tbody{display:block}
.stack tr{display:flex;flex-wrap:wrap;align-items:baseline;gap:.1rem .9rem;padding:.55rem 0;
border-bottom:1px solid var(--line)}
.stack td{border:0;padding:0}
.stack td.n::before{content:attr(data-label) " ";color:var(--soft);font-size:.8rem}
.stack td:first-child,.stack td.wide{flex-basis:100%}.matrix{table-layout:auto}}
@media print{body{background:#fff}section,.tiles li{box-shadow:none;break-inside:avoid}nav,
input{display:none}}
"""

SCRIPT = """
"use strict";
for (const button of document.querySelectorAll("[data-pair]")) {
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") === "true";
    for (const other of document.querySelectorAll("[data-pair]")) {
      other.setAttribute("aria-expanded", "false");
    }
    for (const panel of document.querySelectorAll(".pair")) panel.hidden = true;
    if (!open) {
      button.setAttribute("aria-expanded", "true");
      document.getElementById(button.dataset.pair).hidden = false;
    }
  });
}
const cells = [...document.querySelectorAll("[data-pair]")];
cells.sort((a, b) => Number(b.dataset.denied) - Number(a.dataset.denied));
if (cells.length) cells[0].click();
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  for (const head of table.querySelectorAll("th[data-sort]")) {
    head.tabIndex = 0;
    const sort = () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows];
      rows.sort((a, b) => {
        const x = value(a, head.cellIndex), y = value(b, head.cellIndex);
        const numbers = typeof x === "number" && typeof y === "number";
        const order = numbers ? x - y : String(x).localeCompare(String(y));
        return down ? -order : order;
      });
      body.append(...rows);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  }
}
for (const field of document.querySelectorAll("input[data-filter]")) {
  const rows = document.getElementById(field.dataset.filter).tBodies[0].rows;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}
"""


def content_policy() -> str:
    """Return the page's Content-Security-Policy: its own style and script, and nothing else from anywhere."""
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
