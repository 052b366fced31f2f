#include "service/node/exporter_kinds.h"

namespace galley::service {
namespace {

constexpr ExporterKind kKinds[] = {
    {v1::ExporterKind::JSONL, OpenJsonlExporter},
    {v1::ExporterKind::PROMETHEUS, OpenPrometheusExporter},
};

}  // namespace

absl::Span<const ExporterKind> ExporterKinds() { return kKinds; }

}  // namespace galley::service
