#include "eval/report_page.h"

#include <stddef.h>

#include "store/markup.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const STYLE[] = {
    ":root{color-scheme:light dark;--page:#f7f7f5;--card:#fff;--ink:#1d2126;",
    "--soft:#5b646e;--line:#e0e2e4;--grid:#eceeef;--link:#2a62a3;--c0:#2a62a3;",
    "--c1:#c2632a;--c2:#3b8560;--c3:#8157a8;--c4:#a8455b;--c5:#587480}",
    "@media (prefers-color-scheme:dark){:root{--page:#15181b;--card:#1d2125;",
    "--ink:#e4e7ea;--soft:#9aa4ae;--line:#32383e;--grid:#2a2f34;--link:#82b1e6;",
    "--c0:#82b1e6;--c1:#e59a6b;--c2:#7cc19d;--c3:#b99adb;--c4:#e08a9b;--c5:#9bb6c1}}",
    "*{box-sizing:border-box}",
    "html{scroll-padding-top:4rem;-webkit-text-size-adjust:100%}",
    "body{margin:0;background:var(--page);color:var(--ink);line-height:1.55;",
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;",
    "font-variant-numeric:tabular-nums;overflow-wrap:anywhere}",
    "header,main,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}",
    "header{padding-top:2.5rem}",
    "h1{font-size:1.9rem;line-height:1.2;font-weight:650;margin:0 0 .3rem;",
    "letter-spacing:-.015em}",
    "h2{font-size:1.25rem;font-weight:620;margin:0 0 1rem;letter-spacing:-.005em}",
    "p{margin:.6rem 0;max-width:44rem}",
    "header p,footer,figcaption span,.label,.name{color:var(--soft)}",
    "a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}",
    "nav{position:sticky;top:0;z-index:1;background:var(--page);",
    "border-bottom:1px solid var(--line);margin-top:1.5rem}",
    "nav ul{max-width:62rem;margin:0 auto;padding:.7rem 1.25rem;display:flex;gap:1.4rem;",
    "list-style:none;overflow-x:auto;white-space:nowrap;font-size:.95rem}",
    "section{margin:2.5rem 0}",
    "figure,.scroll,details,dl{background:var(--card);border:1px solid var(--line);",
    "border-radius:.6rem;margin:1rem 0}",
    "figure{padding:1.1rem 1.25rem}",
    "figcaption{margin-bottom:.8rem}figcaption strong{font-weight:620}",
    "figcaption span{display:block;font-size:.92rem;max-width:44rem}",
    "img{display:block;max-width:100%;height:auto;border-radius:.25rem}",
    ".frame{overflow-x:auto}img.wide{min-width:40rem}",
    "img.pixels{image-rendering:pixelated}",
    ".drawing{overflow-x:auto}.drawing svg{display:block;width:100%;height:auto;",
    "min-width:40rem;border-radius:.25rem}",
    ".label{margin:.5rem 0 0;font-size:.92rem}",
    ".control{display:flex;align-items:center;gap:1rem;margin-bottom:1rem;",
    "font-size:.95rem}.control[hidden],.frame[hidden]{display:none}",
    ".control input{flex:1;max-width:24rem;min-width:6rem;accent-color:var(--link)}",
    ".frame+.frame{margin-top:1.5rem}",
    "dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(10.5rem,1fr));",
    "gap:1.1rem 1.5rem;padding:1.1rem 1.25rem}",
    "dt{color:var(--soft);font-size:.85rem}dd{margin:.1rem 0 0;font-size:1.1rem;",
    "font-weight:560}",
    ".scroll{overflow-x:auto}details .scroll{border:0;margin:0}",
    "summary{padding:.7rem 1.25rem;cursor:pointer}",
    "details[open] summary{border-bottom:1px solid var(--line)}",
    "table{border-collapse:collapse;width:100%;font-size:.92rem}",
    "caption{text-align:left;padding:.8rem 1.25rem;font-weight:620}",
    "details caption{display:none}",
    "th,td{text-align:left;padding:.42rem 1.25rem;border-top:1px solid var(--line);",
    "vertical-align:top;overflow-wrap:break-word;max-width:26rem}",
    "th{font-weight:560;color:var(--soft);vertical-align:bottom}",
    "th.number,td.number{text-align:right}",
    "tbody tr:hover{background:var(--grid)}",
    ".plot{display:block;width:100%;height:auto;overflow:visible}",
    ".plot text{font-size:13px;fill:var(--soft)}",
    ".up{text-anchor:end;dominant-baseline:central}",
    ".across{text-anchor:middle;dominant-baseline:hanging}",
    ".name{dominant-baseline:hanging}.end{text-anchor:end}.none{text-anchor:middle}",
    ".grid{stroke:var(--grid)}.axis,.tick{stroke:var(--soft)}.plot path{fill:none}",
    "polyline,.key path{fill:none;stroke-width:2;stroke-linejoin:round;",
    "stroke-linecap:round}",
    ".s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.s2{stroke:var(--c2)}",
    ".s3{stroke:var(--c3)}.s4{stroke:var(--c4)}.s5{stroke:var(--c5)}",
    "polyline.faint{stroke:var(--soft);stroke-width:1;opacity:.5}",
    ".key .faint{stroke:var(--soft);opacity:.5}",
    "circle{fill:var(--card);stroke-width:2}",
    ".y0,.y1,.y2,.y3,.y4,.y5{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:7 5}",
    ".y1{stroke-dasharray:2 4}.y2{stroke-dasharray:10 4 2 4}",
    ".legend{display:flex;flex-wrap:wrap;gap:.3rem 1.5rem;list-style:none;padding:0;",
    "margin:.6rem 0 0;font-size:.92rem;color:var(--soft)}",
    ".legend li{display:flex;align-items:center}",
    ".key{flex:none;width:1.75rem;height:.63rem;margin-right:.5rem}",
    "footer{padding-bottom:3rem;font-size:.88rem}",
    ":focus-visible{outline:2px solid var(--link);outline-offset:2px}",
    "@media (max-width:40rem){header{padding-top:1.5rem}h1{font-size:1.5rem}",
    "header,main,footer,nav ul{padding-left:.9rem;padding-right:.9rem}",
    "figure{padding:.9rem}th,td,caption{padding-left:.9rem;padding-right:.9rem}",
    ".plot text{font-size:21px}polyline{stroke-width:3}.control{flex-wrap:wrap}",
    "dl{grid-template-columns:repeat(auto-fill,minmax(8rem,1fr))}}",
    "@media print{nav{display:none}figure,tr{break-inside:avoid}}",
};

/*
 * A slider shows one of its frames. No handler is in an attribute, so the policy can name
 * this script by its digest and no other runs.
 */
static const char *const SCRIPT[] = {
    "'use strict';",
    "document.querySelectorAll('figure.slider').forEach(function (figure) {",
    "  var input = figure.querySelector('input');",
    "  var frames = figure.querySelectorAll('.frame');",
    "  function show() {",
    "    frames.forEach(function (frame, i) { frame.hidden = i !== +input.value; });",
    "    input.setAttribute('aria-valuetext',",
    "      frames[+input.value].querySelector('.label').textContent);",
    "  }",
    "  input.addEventListener('input', show);",
    "  figure.querySelector('.control').hidden = false;",
    "  show();",
    "});",
};

/* SHA-256 of SCRIPT as it is written; tests/tools/test_report.py knows the right one. */
#define DIGEST "ktjwA4tEQUg5HO28lUy4UXjd0/dCxkO84cVb4SuvdCE="

static void write_lines(FILE *out, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s\n", lines[i]);
}

void mae_report_page_head(FILE *out, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" DIGEST "'; "
          "base-uri 'none'; form-action 'none'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<title>",
          out);
    mae_markup_text(out, title);
    fputs("</title>\n<style>\n", out);
    write_lines(out, STYLE, COUNT(STYLE));
    fputs("</style>\n</head>\n<body>\n", out);
}

void mae_report_page_foot(FILE *out)
{
    fputs("<script>\n", out);
    write_lines(out, SCRIPT, COUNT(SCRIPT));
    fputs("</script>\n</body>\n</html>\n", out);
}
