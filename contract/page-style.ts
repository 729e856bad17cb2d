/** Style of the report page: light and dark, from 360 px to paper, without a file or a font of its own. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;
--page:light-dark(#f6f7f9,#14171c);--card:light-dark(#fff,#1d2128);--ink:light-dark(#1b2027,#e8eaee);--soft:light-dark(#59626f,#a2abb8);--line:light-dark(#dde1e7,#333a45);
--good:light-dark(#12703a,#63cf8f);--back:light-dark(#8a5300,#f0b45b);--bad:light-dark(#b3261e,#ff8d84);--calm:light-dark(#2b5ea8,#8fb8f5);
--s0:light-dark(#8a97a8,#7b8798);--s1:light-dark(#4f86c6,#6ea3e0);--s2:light-dark(#2f5f9e,#4f7fc0);--s3:light-dark(#a06a9c,#c998bb);--s4:light-dark(#7a5fb0,#a68bdd);--s5:light-dark(#1f8a5b,#4dbd8a);--s6:light-dark(#b0893a,#d9b866);--s7:light-dark(#59a14f,#86c97c);--s8:light-dark(#12703a,#2f9a60);--s9:light-dark(#8b9a2b,#c3d15f);--s10:light-dark(#c7791a,#eba44c);--s11:light-dark(#3a8fa0,#6bc0d0)}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
main{max-width:1040px;margin:0 auto;padding:20px 16px 56px}
header{border-left:5px solid var(--tone);padding:2px 0 2px 16px;margin:8px 0 18px}
h1{font-size:24px;line-height:1.25;margin:2px 0 6px;text-wrap:balance}
h2{font-size:17px;margin:34px 0 10px}
h3{font-size:15px;margin:0}
p{margin:0 0 6px}
.kind{color:var(--tone);font-weight:650;margin:0}
.soft{color:var(--soft);font-weight:400}
.good{--tone:var(--good)}.back{--tone:var(--back)}.bad{--tone:var(--bad)}.calm{--tone:var(--calm)}
.facts{display:flex;flex-wrap:wrap;gap:4px 22px;margin:0;color:var(--soft);font-size:14px}
.facts div{display:flex;gap:6px}.facts dt{flex:none;margin:0}.facts dd{margin:0;color:var(--ink)}
.share{display:flex;height:12px;border-radius:6px;overflow:hidden;gap:2px;margin:0 0 8px}
.share i{background:var(--tone)}
.counts{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;margin:0}
.counts b{font-size:18px}
.mark{color:var(--tone);font-weight:650;white-space:nowrap}
.mark::before{content:"";display:inline-block;width:9px;height:9px;border-radius:50%;background:var(--tone);margin-right:7px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 16px;margin:0 0 10px;break-inside:avoid}
.head{display:flex;flex-wrap:wrap;gap:2px 14px;align-items:baseline;margin-bottom:4px}
code,pre{font:13px/1.45 ui-monospace,"SF Mono",Menlo,Consolas,monospace}
pre{white-space:pre-wrap;margin:6px 0;padding:8px 10px;background:var(--page);border-radius:6px;max-height:15em;overflow:auto}
table{border-collapse:collapse;width:100%;font-size:14px;background:var(--card);border:1px solid var(--line);border-radius:10px;border-spacing:0}
th,td{text-align:left;vertical-align:top;padding:7px 12px;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:550}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.lane{display:grid;grid-template-columns:minmax(76px,150px) 1fr auto;gap:10px;align-items:center;padding:3px 0;font-size:14px}
.lane .soft{min-width:84px;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.bar{position:relative;height:16px;background:var(--page);border-radius:4px;overflow:hidden}
.bar i{position:absolute;top:0;bottom:0;min-width:2px}
.times{margin:0 0 10px}
.dot{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:7px}
footer{margin-top:36px;color:var(--soft);font-size:13px}
@media (max-width:640px){
h1{font-size:20px}
thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
table,tbody,tr,td,tbody th{display:block}
tr{padding:8px 12px;border-top:1px solid var(--line)}tr:first-child{border-top:0}
td,tbody th,td.n{border:0;padding:1px 0;text-align:left}
td[data-label]::before{content:attr(data-label) ": ";color:var(--soft)}
td:empty{display:none}
.lane{grid-template-columns:84px 1fr auto;gap:8px}}
@media print{
:root{color-scheme:light}
body{background:#fff;font-size:11pt}main{max-width:none;padding:0}
pre{max-height:none}h2{break-after:avoid}tr,.lane{break-inside:avoid}
i,.mark::before{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
