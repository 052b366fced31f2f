// What a trainerd or a controller of an older version wrote.
#pragma once

#include "galley/v1/node.pb.h"

namespace galley::service {

// Each rank's Start whole, and exporters as JSON, become `common`, `ranks` and `exporters`. Nothing is done
// to an order of this version. Exporters that cannot be read become one of kind UNKNOWN, which is told as a
// problem when it is to be opened.
void FromOlderVersion(v1::EnsureAttempt& ensure);

}  // namespace galley::service
