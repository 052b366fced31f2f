// trainctl nodes: the machines a controller knows.
#include <CLI/CLI.hpp>
#include <memory>

#include "absl/time/clock.h"
#include "service/trainctl/output/output.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/private/client.h"
#include "service/trainctl/verbs.h"
#include "service/view/rows.h"

namespace galley::trainctl {
namespace {

int Run(const Globals& globals) {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Open(globals);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::NodesReply> reply = (*client)->Nodes();
  if (!reply.ok()) return Fail(reply.status());
  std::vector<Row> rows;
  for (const v1::NodeMessage& node : reply->nodes()) {
    rows.push_back(view::RowOf(node, absl::Now()));
  }
  PrintRows(globals,
            {{"name", "NAME"},
             {"state", "STATE"},
             {"cores", "CORES"},
             {"isa", "ISA"},
             {"runs", "RUNS"},
             {"seen", "SEEN"},
             {"memory_bytes", "MEMORY", true},
             {"cpu", "CPU", true},
             {"peak_flops_f32", "PEAK F32", true},
             {"peak_flops_bf16", "PEAK BF16", true},
             {"version", "VERSION", true}},
            "name", rows);
  return kOk;
}

std::function<int()> Declare(CLI::App&, const Globals& globals) {
  return [&globals] { return Run(globals); };
}

}  // namespace

constinit const Verb kNodesVerb = {"nodes", "List the nodes a controller knows", Declare};

}  // namespace galley::trainctl
