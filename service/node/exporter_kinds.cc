#include "service/node/exporter_kinds.h"

namespace galley::service {
namespace {

constexpr ExporterKind kKinds[] = {
    {"jsonl", OpenJsonlExporter},
    {"prometheus", OpenPrometheusExporter},
};

}  // namespace

absl::Span<const ExporterKind> ExporterKinds() { return kKinds; }

}  // namespace galley::service
