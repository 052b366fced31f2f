// bench-sample-index LENGTHS DOCUMENTS T SAMPLES THREADS: builds Megatron's sample index from two files of
// bare i32 (tokens of each sequence; the document index) and prints seconds, and the rows' CRC-32. compare.py
// runs it in turn with Megatron's own helper.
#include <zlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/data/megatron/index.h"

namespace galley {
namespace {

absl::Status Run(int argc, char** argv) {
  if (argc != 6) {
    return absl::InvalidArgumentError("usage: bench-sample-index LENGTHS DOCUMENTS T SAMPLES THREADS");
  }
  ASSIGN_OR_RETURN(const std::string lengths, ReadFile(argv[1], int64_t{1} << 36));
  ASSIGN_OR_RETURN(const std::string text, ReadFile(argv[2], int64_t{1} << 36));
  const std::span documents(reinterpret_cast<const int32_t*>(text.data()), text.size() / sizeof(int32_t));
  const auto values = static_cast<size_t>(2 * (std::atoll(argv[4]) + 1));
  const auto start = std::chrono::steady_clock::now();
  const std::unique_ptr<int32_t[]> rows(new int32_t[values]);
  data::BuildSampleIndex(data::SequenceLengths(std::as_bytes(std::span(lengths))), documents,
                         std::atoll(argv[3]), std::atoi(argv[5]), std::span(rows.get(), values));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto bytes = static_cast<uint64_t>(values * sizeof(int32_t));
  printf("%.6f %08lx\n", seconds, ::crc32_z(0, reinterpret_cast<const Bytef*>(rows.get()), bytes));
  return absl::OkStatus();
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  const absl::Status status = galley::Run(argc, argv);
  if (status.ok()) return 0;
  fprintf(stderr, "bench-sample-index: %s\n", std::string(status.message()).c_str());
  return 1;
}
