// bench-data-start FOLDER [SOURCES [DOCUMENTS [ORDER]]]: what the start of a run costs with a blend of very
// many documents. Writes one header of DOCUMENTS documents of a token each, and its .bin, into FOLDER, links
// them SOURCES times, makes the data plan and both loaders, reads a sample of each, and prints seconds and
// the peak of memory. 2000 sources of 5,000,000 documents are 10 billion.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/data/order/loader.h"
#include "runtime/data/store/indexed_dataset_writer.h"

namespace galley {
namespace {

constexpr int64_t kLength = 4096;

absl::Status MakeSources(const std::string& folder, int64_t sources, int64_t documents) {
  const std::string first = JoinPath(folder, "0");
  if (!FileExists(first + ".idx")) {
    ASSIGN_OR_RETURN(const auto writer, data::IndexedDatasetWriter::Create(first, data::TokenType::kU16));
    const std::vector<int32_t> tokens(1'000'000, 1);
    const std::vector<int32_t> lengths(tokens.size(), 1);
    for (int64_t d = 0; d < documents; d += 1'000'000) RETURN_IF_ERROR(writer->AddDocuments(tokens, lengths));
    RETURN_IF_ERROR(writer->Finish());
  }
  for (int64_t s = 1; s < sources; ++s) {
    for (const char* end : {".idx", ".bin", ".galley.json"}) {
      const std::string name = JoinPath(folder, absl::StrCat(s, end));
      if (::link((first + end).c_str(), name.c_str()) != 0 && errno != EEXIST)
        return ErrnoStatus(errno, name);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadOne(data::Loader& loader) {
  std::vector<int32_t> tokens(kLength), labels(kLength);
  loader.Request(0, 1);
  return loader.Pop({tokens, labels});
}

absl::Status Run(int argc, char** argv) {
  if (argc < 2)
    return absl::InvalidArgumentError("usage: bench-data-start FOLDER [SOURCES [DOCUMENTS [ORDER]]]");
  const int64_t sources = argc > 2 ? std::atoll(argv[2]) : 2000;
  const int64_t documents = argc > 3 ? std::atoll(argv[3]) : 5'000'000;
  RETURN_IF_ERROR(MakeSources(argv[1], sources, documents));
  data::DataConfig config;
  for (int64_t s = 0; s < sources; ++s) {
    config.train.push_back({JoinPath(argv[1], absl::StrCat(s)), 1.0 + static_cast<double>(s % 17)});
  }
  config.sequence_length = kLength;
  config.vocab = 2;
  config.needs_valid = true;
  if (argc > 4) config.order = argv[4];
  config.train_samples = config.run_samples = 1'000'000;
  config.valid_samples = 10'000;

  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  ASSIGN_OR_RETURN(const data::DataPlan plan, data::BuildDataPlan(config));
  const double planned = seconds();
  ASSIGN_OR_RETURN(const auto train, data::Loader::Create(plan, {}));
  ASSIGN_OR_RETURN(const auto valid, data::Loader::Create(plan, {.samples = {.split = data::Split::kValid}}));
  RETURN_IF_ERROR(ReadOne(*train));
  RETURN_IF_ERROR(ReadOne(*valid));
  const double ready = seconds();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  printf("%lld sources, %lld documents, %s: plan %.2f s, first samples after %.2f s, peak %.0f MB\n",
         static_cast<long long>(sources), static_cast<long long>(sources * documents), config.order.c_str(),
         planned, ready, static_cast<double>(usage.ru_maxrss) / 1024);
  return absl::OkStatus();
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  const absl::Status status = galley::Run(argc, argv);
  if (status.ok()) return 0;
  fprintf(stderr, "bench-data-start: %s\n", std::string(status.message()).c_str());
  return 1;
}
