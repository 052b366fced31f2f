#include "service/node/older_version.h"

#include "absl/strings/ascii.h"
#include "runtime/base/json.h"

// The fields are marked so that nothing else reads them.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace galley::service {
namespace {

std::string TextOf(const Json& object, absl::string_view key) {
  const Json* value = object.Find(key);
  return value != nullptr && value->is_string() ? value->text : "";
}

void AddExporters(absl::string_view text, v1::EnsureAttempt& ensure) {
  const absl::StatusOr<Json> list = ParseJson(text);
  if (!list.ok() || !list->is_array()) {
    ensure.add_exporters();
    return;
  }
  for (const Json& item : list->items) {
    v1::Exporter& exporter = *ensure.add_exporters();
    v1::ExporterKind::Value kind;
    if (!v1::ExporterKind::Value_Parse(absl::AsciiStrToUpper(TextOf(item, "kind")), &kind)) continue;
    exporter.set_kind(kind);
    exporter.set_listen(TextOf(item, "listen"));
  }
}

}  // namespace

void FromOlderVersion(v1::EnsureAttempt& ensure) {
  if (!ensure.exporters_json().empty()) AddExporters(ensure.exporters_json(), ensure);
  ensure.clear_exporters_json();
  if (ensure.starts().empty()) return;
  *ensure.mutable_common() = ensure.starts(0);
  for (const v1::Start& start : ensure.starts()) ensure.add_ranks()->set_rank(start.rank());
  ensure.clear_starts();
}

}  // namespace galley::service
