#include "service/trainctl/data/rewritten.h"

#include <cstdio>

namespace galley::trainctl {

void PrintRewritten(const data::RewriteReport& report, bool many, const Globals& globals) {
  static const std::vector<Column> columns = {{"path", "PATH"},
                                              {"documents", "DOCUMENTS"},
                                              {"tokens", "TOKENS"},
                                              {"sequences", "SEQUENCES", true},
                                              {"token_type", "TYPE"},
                                              {"tokenizer", "TOKENIZER"},
                                              {"checksums_compared", "COMPARED", true}};
  std::vector<Row> rows;
  for (const data::Rewritten& made : report.outputs) {
    rows.push_back({{"path", made.prefix},
                    {"documents", made.documents},
                    {"sequences", made.sequences},
                    {"tokens", made.tokens},
                    {"token_type", std::string(data::Name(report.type))},
                    {"tokenizer", report.origin.tokenizer.empty() ? Value() : Value(report.origin.tokenizer)},
                    {"checksums_compared", report.checksums_compared}});
  }
  if (many) {
    PrintRows(globals, columns, "path", rows);
  } else {
    PrintRow(globals, columns, "path", rows.front());
  }
  if (!report.unknown.empty()) {
    fprintf(stderr, "trainctl: %s does not say what made its tokens, so neither does what came of it\n",
            report.unknown.c_str());
  }
}

}  // namespace galley::trainctl
