#include "service/node/exporter_kinds.h"

#include "tests/toys/toy_exporter.h"

namespace galley::service {
namespace {

constexpr ExporterKind kKinds[] = {
    {v1::ExporterKind::JSONL, OpenJsonlExporter},
    {v1::ExporterKind::PROMETHEUS, OpenPrometheusExporter},
    {kToyExporter, OpenToyExporter},
};

}  // namespace

absl::Span<const ExporterKind> ExporterKinds() { return kKinds; }

}  // namespace galley::service
