#include "service/trainctl/output/rows.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace galley::trainctl {
namespace {

std::string Cell(const Value& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "-";
        } else if constexpr (std::is_same_v<T, double>) {
          return absl::StrFormat("%.5g", v);
        } else if constexpr (std::is_same_v<T, bool>) {
          return v ? "yes" : "no";
        } else if constexpr (std::is_same_v<T, std::string>) {
          return v.empty() ? "-" : v;
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          return v.empty() ? "-" : absl::StrJoin(v, ",");
        } else if constexpr (std::is_same_v<T, Nested>) {
          return v.cell;
        } else {
          return absl::StrCat(v);
        }
      },
      value);
}

const Value* Find(const Row& row, absl::string_view key) {
  for (const auto& [name, value] : row) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::vector<const Column*> Shown(const Globals& globals, const std::vector<Column>& columns) {
  std::vector<const Column*> shown;
  for (const Column& column : columns) {
    if (!column.wide || globals.output == "wide") shown.push_back(&column);
  }
  return shown;
}

std::string CellOf(const Row& row, const Column& column) {
  const Value* value = Find(row, column.key);
  return value == nullptr ? "-" : Cell(*value);
}

// A JSON text is a YAML text; only the layout around it is YAML's own.
std::string Yaml(const Row& row, absl::string_view first, absl::string_view indent) {
  std::string text;
  for (size_t i = 0; i < row.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? first : indent, row[i].first, ": ", view::ToJson(row[i].second), "\n");
  }
  return text;
}

void Put(absl::string_view text) { fwrite(text.data(), 1, text.size(), stdout); }

void PutName(const Row& row, const char* name_key) {
  const Value* name = Find(row, name_key);
  Put(absl::StrCat(name == nullptr ? "-" : Cell(*name), "\n"));
}

void PutTable(const Globals& globals, const std::vector<Column>& columns, const std::vector<Row>& rows) {
  const std::vector<const Column*> shown = Shown(globals, columns);
  std::vector<std::vector<std::string>> lines(rows.size() + 1);
  for (const Column* column : shown) lines[0].push_back(column->heading);
  for (size_t r = 0; r < rows.size(); ++r) {
    for (const Column* column : shown) lines[r + 1].push_back(CellOf(rows[r], *column));
  }
  std::vector<size_t> widths(shown.size(), 0);
  for (const auto& line : lines) {
    for (size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], line[c].size());
  }
  for (const auto& line : lines) {
    std::string text;
    for (size_t c = 0; c < line.size(); ++c) {
      text += line[c];
      if (c + 1 < line.size()) text.append(widths[c] - line[c].size() + 3, ' ');
    }
    Put(text + "\n");
  }
}

}  // namespace

void PrintRows(const Globals& globals, const std::vector<Column>& columns, const char* name_key,
               const std::vector<Row>& rows) {
  if (globals.output == "json") {
    Put(view::ToJson(rows, 2) + "\n");
  } else if (globals.output == "jsonl") {
    for (const Row& row : rows) Put(view::ToJson(row) + "\n");
  } else if (globals.output == "yaml") {
    for (const Row& row : rows) Put(Yaml(row, "- ", "  "));
    if (rows.empty()) Put("[]\n");
  } else if (globals.output == "name") {
    for (const Row& row : rows) PutName(row, name_key);
  } else {
    PutTable(globals, columns, rows);
  }
}

void PrintRow(const Globals& globals, const std::vector<Column>& columns, const char* name_key,
              const Row& row) {
  if (globals.output == "json") {
    Put(view::ToJson(row, 2) + "\n");
  } else if (globals.output == "jsonl") {
    Put(view::ToJson(row) + "\n");
  } else if (globals.output == "yaml") {
    Put(Yaml(row, "", ""));
  } else if (globals.output == "name") {
    PutName(row, name_key);
  } else {
    const std::vector<const Column*> shown = Shown(globals, columns);
    size_t width = 0;
    for (const Column* column : shown) width = std::max(width, std::string(column->heading).size());
    for (const Column* column : shown) {
      const std::string heading = column->heading;
      Put(absl::StrCat(heading, std::string(width - heading.size() + 2, ' '), CellOf(row, *column), "\n"));
    }
  }
}

void PrintStreamed(const Globals& globals, const std::vector<Column>& columns, const char* name_key,
                   const Row& row) {
  if (IsJson(globals)) {
    Put(view::ToJson(row) + "\n");
  } else if (globals.output == "yaml") {
    Put(Yaml(row, "- ", "  "));
  } else if (globals.output == "name") {
    PutName(row, name_key);
  } else {
    std::vector<std::string> cells;
    for (const Column* column : Shown(globals, columns)) cells.push_back(CellOf(row, *column));
    Put(absl::StrJoin(cells, "  ") + "\n");
  }
  fflush(stdout);
}

}  // namespace galley::trainctl
