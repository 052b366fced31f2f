#include "service/node/node_info.h"

#include <unistd.h>

#include <string>

#include "runtime/base/cpu_info.h"
#include "runtime/base/subprocess.h"

namespace galley::service {

v1::NodeInfo DescribeNode(absl::string_view name, absl::string_view incarnation) {
  v1::NodeInfo info;
  if (name.empty()) {
    char host[256] = "";
    if (::gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0') info.set_name("localhost");
    if (host[0] != '\0') info.set_name(host);
  } else {
    info.set_name(std::string(name));
  }
  info.set_incarnation(std::string(incarnation));
  info.set_boot_id(BootId());
  const CpuFacts facts = ReadCpuFacts();
  const CpuPeak peak = PeakOf(facts);
  info.set_cores(facts.cpus);
  info.set_isa(peak.isa);
  info.set_cpu_model(facts.model);
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGE_SIZE);
  if (pages > 0 && page > 0) info.set_memory_bytes(int64_t{pages} * page);
  v1::Device& cpu = *info.add_devices();
  cpu.set_kind(v1::ProcessorKind::CPU);
  cpu.set_memory_bytes(info.memory_bytes());
  if (peak.f32_flops > 0) (*cpu.mutable_peak_flops())["f32"] = peak.f32_flops;
  if (peak.bf16_flops > 0) (*cpu.mutable_peak_flops())["bf16"] = peak.bf16_flops;
  cpu.set_peak_source(peak.source);
  info.set_version(GALLEY_VERSION);
  info.set_wire_version(v1::Wire::CURRENT);
  return info;
}

}  // namespace galley::service
