// What this machine's processor is and how fast it can be:
// facts read from the machine, and a pure table over them.
#pragma once

#include <string>

namespace galley {

struct CpuFacts {
  std::string vendor;  // "GenuineIntel", "AuthenticAMD"
  std::string model;   // "Intel(R) Xeon(R) Platinum 8480+"
  int family = 0;
  int cpus = 1;         // logical ones this process may use
  int cores = 1;        // physical ones behind them
  bool avx2 = false;    // with FMA
  bool avx512 = false;  // F, BW, DQ and VL
  bool avx512_bf16 = false;
  bool amx_bf16 = false;
  double base_hz = 0;       // 0: the machine does not tell
  std::string base_source;  // "cpuid leaf 0x16", "cpufreq", "model name"
};
CpuFacts ReadCpuFacts();

struct CpuPeak {
  std::string isa;        // "amx_bf16", "avx512_bf16", "avx512", "avx2", "baseline"
  double f32_flops = 0;   // per second, all cores; 0: not known
  double bf16_flops = 0;  // likewise, for the best bf16 instruction there is
  std::string source;     // how it was reckoned, or why it is not known
};
// instruction set's FLOP per cycle x cores x base clock.
CpuPeak PeakOf(const CpuFacts& facts);

// Base clock out of a model name such as "... CPU @ 2.40GHz"; 0 when it names none.
double ClockOfModelName(const std::string& model);

}  // namespace galley
