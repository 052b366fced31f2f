// What `data merge` and `data split` print.
#pragma once

#include "runtime/data/tools/rewrite.h"
#include "service/trainctl/output/rows.h"

namespace galley::trainctl {

// A row a data set; `many` says whether json is a list. What is not known is said on stderr.
void PrintRewritten(const data::RewriteReport& report, bool many, const Globals& globals);

}  // namespace galley::trainctl
