// Which kinds of exporters trainerd has, and how it opens each.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "galley/v1/node.pb.h"
#include "runtime/metrics/sink.h"

namespace galley::service {

struct ExporterOrder {
  const v1::EnsureAttempt& ensure;
  const std::string& node;  // its name
  const v1::Exporter& exporter;
  const std::function<void(const std::string& message)>& problem;  // it works, but not as asked
};

struct ExporterKind {
  v1::ExporterKind::Value kind;
  absl::StatusOr<std::unique_ptr<metrics::Sink>> (*open)(const ExporterOrder& order);
};

absl::Span<const ExporterKind> ExporterKinds();

absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenJsonlExporter(const ExporterOrder& order);
absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenPrometheusExporter(const ExporterOrder& order);

}  // namespace galley::service
