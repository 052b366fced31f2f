#include "absl/strings/str_cat.h"
#include "exporters/jsonl.h"
#include "exporters/prometheus.h"
#include "runtime/base/file.h"
#include "service/node/exporter_kinds.h"

namespace galley::service {

absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenJsonlExporter(const ExporterOrder& order) {
  return exporters::OpenJsonl(JoinPath(order.ensure.run_dir(), "metrics.jsonl"));
}

absl::StatusOr<std::unique_ptr<metrics::Sink>> OpenPrometheusExporter(const ExporterOrder& order) {
  exporters::PrometheusOptions options;
  options.listen = order.exporter.listen();
  options.run = order.ensure.run_name();
  options.run_id = order.ensure.run_id();
  options.node = order.node;
  options.plan_hash = order.ensure.common().plan_hash();
  auto sink = exporters::ServePrometheus(options);
  if (!sink.ok()) return sink;
  const std::string& listen = options.listen;
  const std::string& address = (*sink)->address();
  const std::string asked = listen.substr(listen.rfind(':') + 1);
  if (asked != "0" && address.substr(address.rfind(':') + 1) != asked) {
    order.problem(absl::StrCat("metrics: ", listen, " is taken, the endpoint is ", address));
  }
  return sink;
}

}  // namespace galley::service
