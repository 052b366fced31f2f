#include "service/node/exporter_kinds.h"

#include "tests/toys/toy_exporter.h"

namespace galley::service {
namespace {

constexpr ExporterKind kKinds[] = {
    {"jsonl", OpenJsonlExporter},
    {"prometheus", OpenPrometheusExporter},
    {"toy", OpenToyExporter},
};

}  // namespace

absl::Span<const ExporterKind> ExporterKinds() { return kKinds; }

}  // namespace galley::service
