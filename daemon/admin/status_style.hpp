// The styles of the status page. The colours are those of the report that `echoload --html` writes.
#pragma once

#include <string_view>

namespace echod {

inline constexpr std::string_view kStatusStyle = R"(
:root { color-scheme: light dark;
  --ground: #f6f7f9; --card: #fff; --ink: #1c2430; --soft: #5b6675; --rule: #e1e5ea; --track: #e9edf1;
  --good: #137a4b; --bad: #b3261e; --middling: #8a5a00; --blue: #0b68b1; --amber: #b87500; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #12161c; --card: #1a2028; --ink: #e6eaf0; --soft: #9aa6b5; --rule: #2c3541; --track: #2a323d;
  --good: #4fc38a; --bad: #ff8a80; --middling: #e5b454; --blue: #64b5f6; --amber: #f0b341; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 32px; max-width: 1320px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1 { font-size: 24px; line-height: 1.2; margin: 0; }
h2 { font-size: 16px; line-height: 1.4; margin: 0; }
h3 { font-size: 14px; font-weight: 500; color: var(--soft); margin: 12px 0 4px; }
p { margin: 4px 0; }
a { color: var(--blue); }
.soft { color: var(--soft); font-size: 14px; }
.good { color: var(--good); } .bad { color: var(--bad); } .middling { color: var(--middling); }
header { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; justify-content: space-between; }
.state { margin: 0; padding: 4px 16px; border-radius: 20px; border: 1.5px solid; font-weight: 600; white-space: nowrap; }
.state::before { content: ""; display: inline-block; width: 9px; height: 9px; margin-right: 8px; border-radius: 50%;
  background: currentColor; }
.note { border-left: 4px solid; padding: 6px 12px; margin: 12px 0 0; background: var(--card); }
.note span { color: var(--ink); }
.tiles { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 10px; margin: 18px 0 0; }
.tiles div, section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
.tiles div { padding: 10px 14px 12px; position: relative; }
.tiles dt { font-size: 14px; color: var(--soft); }
.tiles dd { margin: 0; font-size: 21px; font-weight: 600; line-height: 1.3; white-space: nowrap; }
.tiles small { display: block; font-size: 13px; font-weight: 400; line-height: 1.4; color: var(--soft); }
main { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; margin-top: 16px; align-items: start; }
section { padding: 14px 18px 16px; min-width: 0; }
.stack { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); }
.full { grid-column: 1 / -1; }
figure { margin: 0; }
.plot { display: grid; grid-template-columns: auto 1fr; gap: 4px 8px; margin-top: 14px; font-size: 12px; color: var(--soft); }
.values { position: relative; text-align: right; white-space: nowrap; }
.values span { position: absolute; right: 0; transform: translateY(-50%); line-height: 1; }
.values b { display: block; height: 0; overflow: hidden; visibility: hidden; font-weight: 400; }
.times { grid-column: 2; display: flex; justify-content: space-between; white-space: nowrap; }
svg { display: block; width: 100%; height: 150px; overflow: visible; }
svg path { fill: none; stroke: var(--rule); stroke-width: 1; }
svg .line { stroke-width: 1.75; stroke-linejoin: round; stroke: var(--blue); }
svg .line.closed { stroke: var(--amber); }
svg .line.limit { stroke: var(--bad); stroke-dasharray: 6 4; }
svg .area { stroke: none; fill: var(--blue); opacity: .13; }
.legend { display: inline-block; margin-right: 16px; font-size: 14px; color: var(--soft); }
.legend::before { content: ""; display: inline-block; width: 16px; margin-right: 6px; vertical-align: middle;
  border-top: 3px solid var(--blue); }
.legend.closed::before { border-color: var(--amber); }
.legend.limit::before { border-color: var(--bad); border-top-style: dashed; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
caption { text-align: left; padding-bottom: 4px; }
th, td { padding: 4px 0 4px 12px; text-align: right; vertical-align: top; border-top: 1px solid var(--rule);
  white-space: nowrap; }
thead th { border-top: 0; white-space: normal; font-size: 13px; font-weight: 400; color: var(--soft); vertical-align: bottom; }
th:first-child { text-align: left; padding-left: 0; font-weight: 500; white-space: normal; }
th small { display: block; font-size: 13px; font-weight: 400; line-height: 1.35; color: var(--soft); }
.sum td { font-weight: 600; }
.bar { display: block; height: 4px; margin-top: 2px; border-radius: 2px; background: var(--track); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--blue); }
.bar.bad i { background: var(--bad); } .bar.middling i { background: var(--amber); }
td { position: relative; }
td .bar { position: absolute; left: 12px; right: 0; bottom: 1px; height: 3px; margin: 0; }
.counters th:first-child { width: 52%; } .ranges th:first-child { width: 34%; }
.workers th:first-child { width: 22%; } .listeners th:first-child { width: 32%; }
.listeners th:nth-child(4) { width: 26%; }
.side { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 290px), 1fr)); gap: 12px 32px; }
.workers caption { font-size: 13px; color: var(--soft); }
.side table:only-child { grid-column: 1 / -1; }
.side table:only-child caption { position: absolute; clip-path: inset(50%); }
dl { margin: 6px 0 0; }
section dl { display: flex; flex-wrap: wrap; gap: 4px 28px; }
section dt { display: inline; color: var(--soft); } section dd { display: inline; margin: 0 0 0 8px; font-weight: 500; }
.trouble { list-style: none; margin: 0; padding: 0; }
.trouble li, pre { font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.trouble li { border-left: 3px solid; padding: 2px 0 2px 10px; margin-top: 3px; }
summary { cursor: pointer; } summary h2 { display: inline; }
pre { margin: 10px 0 0; padding-top: 10px; border-top: 1px solid var(--rule); }
footer { margin-top: 18px; font-size: 14px; color: var(--soft); }
footer a { margin-left: 12px; }
@media (max-width: 900px) { main { grid-template-columns: minmax(0, 1fr); } .full { grid-column: auto; }
  .tiles { grid-template-columns: repeat(4, minmax(0, 1fr)); } }
@media (max-width: 560px) {
  body { padding: 16px 10px 24px; }
  section { padding: 12px 12px 14px; }
  th, td { padding-left: 8px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .counters th:first-child { width: 46%; }
  .listeners thead { position: absolute; clip-path: inset(50%); }
  .listeners tr { display: grid; grid-template-columns: repeat(4, auto); justify-content: space-between; }
  .listeners th:first-child { grid-column: 1 / -1; width: auto; }
  .listeners td { width: auto; border: 0; padding: 0 0 6px; text-align: left; }
  .listeners .bar { left: 0; }
  .listeners td::before { display: block; font-size: 12px; color: var(--soft); content: "open"; }
  .listeners td:nth-of-type(2)::before { content: "accepted"; }
  .listeners td:nth-of-type(3)::before { content: "waiting"; }
  .listeners td:nth-of-type(4)::before { content: "dropped"; }
}
@media print { section, .tiles div { break-inside: avoid; } }
)";

}  // namespace echod
