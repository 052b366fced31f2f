#include "runtime/base/cpu_info.h"

#include <sched.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "runtime/base/file.h"

namespace galley {
namespace {

// FLOP per cycle and core; a multiply-add counts as two.
struct Rate {
  double f32, bf16;
  const char* what;
};

Rate RateOf(const CpuFacts& facts) {
  const bool amd = facts.vendor == "AuthenticAMD";
  // AMD's family 25 (Zen 4) runs a 512-bit FMA in two halves; family 26 (Zen
  // 5) and Intel's servers have two full-width units. VDPBF16PS does four
  // FLOP a lane: at half the FMA rate on Intel, at the full rate on AMD.
  const double f32_512 = amd && facts.family <= 25 ? 32 : 64;
  if (facts.amx_bf16) return {f32_512, 1024, "AVX-512 f32 and AMX bf16"};
  if (facts.avx512_bf16) return {f32_512, amd ? 2 * f32_512 : f32_512, "AVX-512 f32 and AVX-512 bf16"};
  if (facts.avx512) return {f32_512, f32_512, "AVX-512 f32; bf16 runs as f32"};
  if (facts.avx2) return {32, 32, "AVX2 FMA f32; bf16 runs as f32"};
  return {0, 0, ""};
}

// What this process may use, not what the machine has: launchers and containers bind processes to CPUs.
std::set<int> AllowedCpus() {
  std::set<int> out;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) out.insert(i);
    }
  }
  if (out.empty()) out.insert(0);
  return out;
}

void ReadProcCpuinfo(const std::set<int>& allowed, CpuFacts& facts) {
  absl::StatusOr<std::string> text = ReadFile("/proc/cpuinfo");
  if (!text.ok()) return;
  std::set<std::pair<std::string, std::string>> cores;
  for (absl::string_view block : absl::StrSplit(*text, "\n\n")) {
    std::map<std::string, std::string> fields;
    for (absl::string_view line : absl::StrSplit(block, '\n')) {
      const std::pair<absl::string_view, absl::string_view> kv =
          absl::StrSplit(line, absl::MaxSplits(':', 1));
      fields[std::string(absl::StripAsciiWhitespace(kv.first))] =
          std::string(absl::StripAsciiWhitespace(kv.second));
    }
    int cpu = 0;
    if (!absl::SimpleAtoi(fields["processor"], &cpu) || allowed.count(cpu) == 0) continue;
    facts.vendor = fields["vendor_id"];
    facts.model = fields["model name"];
    (void)absl::SimpleAtoi(fields["cpu family"], &facts.family);
    // Without a core id each cpu counts as a core.
    const std::string core = fields.count("core id") ? fields["core id"] : fields["processor"];
    cores.emplace(fields["physical id"], core);
  }
  if (!cores.empty()) facts.cores = static_cast<int>(cores.size());
}

// The base clock and not the turbo: the one that all cores can hold at once.
void ReadBaseClock(CpuFacts& facts) {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_max(0, nullptr) >= 0x16 && __get_cpuid(0x16, &a, &b, &c, &d) != 0 && (a & 0xffff) != 0) {
    facts.base_hz = 1e6 * (a & 0xffff);
    facts.base_source = "cpuid leaf 0x16";
    return;
  }
#endif
  int64_t khz = 0;
  absl::StatusOr<std::string> file = ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/base_frequency");
  if (file.ok() && absl::SimpleAtoi(*file, &khz) && khz > 0) {
    facts.base_hz = 1e3 * static_cast<double>(khz);
    facts.base_source = "cpufreq base_frequency";
    return;
  }
  facts.base_hz = ClockOfModelName(facts.model);
  if (facts.base_hz > 0) facts.base_source = "model name";
}

}  // namespace

double ClockOfModelName(const std::string& model) {
  const size_t at = model.rfind("@ ");
  const size_t ghz = model.rfind("GHz");
  double value = 0;
  if (at == std::string::npos || ghz == std::string::npos || ghz < at + 2) return 0;
  if (!absl::SimpleAtod(model.substr(at + 2, ghz - at - 2), &value) || !(value > 0.1 && value < 20)) return 0;
  return value * 1e9;
}

CpuFacts ReadCpuFacts() {
  CpuFacts facts;
  const std::set<int> allowed = AllowedCpus();
  facts.cpus = facts.cores = static_cast<int>(allowed.size());
  ReadProcCpuinfo(allowed, facts);
#if defined(__x86_64__)
  facts.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  facts.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  facts.avx512_bf16 = facts.avx512 && __builtin_cpu_supports("avx512bf16");
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (facts.avx512_bf16 && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
    facts.amx_bf16 = (d & (1u << 22)) != 0 && (d & (1u << 24)) != 0;  // AMX-BF16 and AMX-TILE
  }
#endif
  ReadBaseClock(facts);
  return facts;
}

CpuPeak PeakOf(const CpuFacts& facts) {
  CpuPeak peak;
  peak.isa = facts.amx_bf16      ? "amx_bf16"
             : facts.avx512_bf16 ? "avx512_bf16"
             : facts.avx512      ? "avx512"
             : facts.avx2        ? "avx2"
                                 : "baseline";
  const Rate rate = RateOf(facts);
  if (rate.f32 == 0) {
    peak.source = "not measured: the processor has no AVX2";
  } else if (facts.base_hz <= 0) {
    peak.source = absl::StrCat("not measured: the machine does not tell the base clock of ", facts.model);
  } else {
    const double cycles = facts.base_hz * facts.cores;
    peak.f32_flops = rate.f32 * cycles;
    peak.bf16_flops = rate.bf16 * cycles;
    peak.source = absl::StrFormat("%s: %g and %g FLOP/cycle x %d cores x %.4g GHz (%s)", rate.what, rate.f32,
                                  rate.bf16, facts.cores, facts.base_hz / 1e9, facts.base_source);
  }
  return peak;
}

}  // namespace galley
