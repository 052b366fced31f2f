// A run's Prometheus endpoint (docs/metrics.md names every series). It lives in trainerd: the last values
// stay served until trainerd ends.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/metrics/sink.h"

namespace galley::exporters {

struct PrometheusOptions {
  std::string listen = "127.0.0.1:9464";  // host:port; port 0: any free one
  std::string run;                        // value of the label `run`
  std::string run_id;
  std::string plan_hash;
  std::string node;
};

// The sink's address is where it listens, "127.0.0.1:9464": another port than the asked one when that was
// taken. Series appear with their first value: what was never measured is absent, never 0. The endpoint
// speaks plain HTTP, so any host but a loopback one is refused with kInvalidArgument.
absl::StatusOr<std::unique_ptr<metrics::Sink>> ServePrometheus(const PrometheusOptions& options);

}  // namespace galley::exporters
