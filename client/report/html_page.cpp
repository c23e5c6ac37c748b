#include "client/report/html_page.hpp"

#include "text/html_text.hpp"

namespace echod::client {

namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark;
  --ground: #f6f7f9; --card: #fff; --ink: #1c2430; --soft: #5b6675; --rule: #e1e5ea;
  --good: #137a4b; --bad: #b3261e; --middling: #8a5a00;
  --blue: #0b68b1; --amber: #b87500; --red: #c2410c; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #12161c; --card: #1a2028; --ink: #e6eaf0; --soft: #9aa6b5; --rule: #2c3541;
  --good: #4fc38a; --bad: #ff8a80; --middling: #e5b454;
  --blue: #64b5f6; --amber: #f0b341; --red: #ff8a65; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 28px 20px 40px; max-width: 1000px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 20px; overflow-wrap: anywhere; line-height: 1.3; margin: 0; }
h2 { font-size: 16px; margin: 0; }
p { margin: 4px 0; }
.soft { color: var(--soft); }
header { display: flex; gap: 20px; align-items: center; justify-content: space-between; }
.verdict { padding: 4px 14px; white-space: nowrap; border-radius: 20px; border: 1.5px solid; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .middling { color: var(--middling); }
.note { border-left: 4px solid; padding: 6px 12px; margin: 12px 0; background: var(--card); overflow-wrap: anywhere; }
.note span { color: var(--ink); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(124px, 1fr)); gap: 10px; margin: 20px 0 0; }
.tile, section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
.tile { padding: 10px 14px; }
.tile div { white-space: nowrap; } .tile .soft { font-size: 14px; }
.tile .value { font-size: 21px; font-weight: 600; line-height: 1.3; }
section { padding: 14px 18px; margin-top: 16px; }
.wide { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 620px; height: auto; margin-top: 6px; }
svg text { font-size: 12px; fill: var(--soft); text-anchor: middle; }
svg text.y { text-anchor: end; }
svg path { fill: none; stroke: var(--rule); }
svg .axis { stroke: var(--soft); }
svg .line { stroke-width: 2; stroke-linejoin: round; }
svg .line.p50, svg .line.rate { stroke: var(--blue); }
svg .line.p99 { stroke: var(--amber); }
svg .line.max, svg .line.errors { stroke: var(--red); }
svg .line.asked { stroke: var(--soft); stroke-dasharray: 6 4; stroke-width: 1.5; }
svg .area { stroke: none; fill: var(--blue); opacity: .13; }
svg .area.errors { fill: var(--red); opacity: .3; }
svg .dot circle { fill: var(--blue); } svg .dot text { fill: var(--ink); font-weight: 600;
  paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
svg .limit { stroke: currentColor; stroke-width: 3; }
svg .met, .legend.met::before { color: var(--good); } svg .missed, .legend.missed::before { color: var(--bad); }
svg .part { fill: transparent; } svg .part:hover { fill: var(--soft); fill-opacity: .14; }
svg .silent { fill: var(--red); fill-opacity: .12; }
.legend { display: inline-block; margin-right: 18px; }
.legend::before { content: ""; display: inline-block; width: 18px; margin-right: 6px; vertical-align: middle;
  border-top: 3px solid; }
.legend.p50::before, .legend.rate::before { color: var(--blue); }
.legend.p99::before { color: var(--amber); }
.legend.max::before, .legend.errors::before { color: var(--red); }
.legend.asked::before { color: var(--soft); border-top-style: dashed; }
.legend.silent::before { height: 12px; background: var(--red); opacity: .2; border: 0; }
table { border-collapse: collapse; width: 100%; margin-top: 8px; }
th, td { padding: 4px 10px; text-align: right; border-top: 1px solid var(--rule); white-space: nowrap; }
tr:first-child > * { border-top: 0; }
th { font-weight: 500; color: var(--soft); }
th:first-child { text-align: left; padding-left: 0; }
.pairs td { text-align: left; width: 75%; white-space: normal; overflow-wrap: anywhere; }
pre { margin: 8px 0 0; font: 13px/1.5 ui-monospace, monospace; white-space: pre; }
@media print { section, .tile { break-inside: avoid; } }
)";

std::string cell(const std::string& name, const std::string& text) {
  return '<' + name + '>' + escaped_html(text) + "</" + name + '>';
}

}  // namespace

std::string element(const std::string& name, const std::string& style, const std::string& inside) {
  std::string start = '<' + name;
  if (!style.empty()) {
    start += " class=\"" + style + '"';
  }
  return start + '>' + inside + "</" + name + ">\n";
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string cells;
    for (const std::string& content : row) {
      const bool is_heading = &row == &rows.front() || &content == &row.front();
      cells += cell(is_heading ? "th" : "td", content);
    }
    text += element("tr", "", cells);
  }
  return element("div", "wide", element("table", "", text));
}

std::string pairs(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string text;
  for (const auto& [name, value] : rows) {
    text += element("tr", "", cell("th", name) + cell("td", value));
  }
  return element("table", "pairs", text);
}

std::string page(const std::string& title, const std::string& body) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'\"/>\n" +
         element("title", "", escaped_html(title)) + "<style>" + kStyle +
         "</style>\n</head>\n<body>\n" + body + "</body>\n</html>\n";
}

}  // namespace echod::client
