// What verbs print on stdout, in the formats of -o. Keys are versioned API: docs/service.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/trainctl/output/output.h"
#include "service/view/row.h"

namespace galley::trainctl {

using view::Nested;
using view::Row;
using view::Value;

// A column of table and wide: the key it shows and its heading. Rows may hold more keys than columns.
struct Column {
  const char* key;
  const char* heading;
  bool wide = false;  // only with -o wide
};

// table, wide: columns, aligned. json: an array. jsonl: a line a row. yaml: a list. name: the value of
// `name_key`, a line a row.
void PrintRows(const Globals& globals, const std::vector<Column>& columns, const char* name_key,
               const std::vector<Row>& rows);
// One row alone: json and yaml without the list around it, table as "heading: value" lines.
void PrintRow(const Globals& globals, const std::vector<Column>& columns, const char* name_key,
              const Row& row);
// One row of a stream that goes on: json and jsonl a line, table and wide without headings.
void PrintStreamed(const Globals& globals, const std::vector<Column>& columns, const char* name_key,
                   const Row& row);

}  // namespace galley::trainctl
