// trainctl nodes: the machines a controller knows.
#include <CLI/CLI.hpp>
#include <memory>

#include "service/trainctl/output/output.h"
#include "service/trainctl/output/rows.h"
#include "service/trainctl/private/client.h"
#include "service/trainctl/verbs.h"
#include "service/view/names.h"

namespace galley::trainctl {
namespace {

int Run(const Globals& globals) {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Open(globals);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<v1::NodesReply> reply = (*client)->Nodes();
  if (!reply.ok()) return Fail(reply.status());
  std::vector<Row> rows;
  for (const v1::NodeMessage& node : reply->nodes()) {
    const v1::NodeInfo& info = node.info();
    rows.push_back({{"name", info.name()},
                    {"state", view::NameOf(node.state())},
                    {"cores", int64_t{info.cores()}},
                    {"memory_bytes", info.memory_bytes()},
                    {"isa", info.isa()},
                    {"cpu", info.cpu_model()},
                    {"peak_flops_f32", info.peak_flops_f32() > 0 ? Value(info.peak_flops_f32()) : Value()},
                    {"peak_flops_bf16", info.peak_flops_bf16() > 0 ? Value(info.peak_flops_bf16()) : Value()},
                    {"peak_source", info.peak_source()},
                    {"runs", std::vector<std::string>(node.runs().begin(), node.runs().end())},
                    {"version", info.version()},
                    {"last_seen", view::Rfc3339(node.last_seen_unix_ms())},
                    {"seen", Ago(node.last_seen_unix_ms())}});
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
