// bench-tokenizer TOKENIZER FILE [SECONDS]: encodes a text again and again on one thread and
// prints MB/s of processor time.
//   build/release/bin/bench-tokenizer gpt2:data/gpt2 text.txt
// against_tiktoken.py measures it against tiktoken, turn by turn.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/base/status.h"
#include "runtime/tokenizer/tokenizer.h"

namespace galley {
namespace {

using Seconds = std::chrono::duration<double>;

// Of the one thread: what else the machine does is no part of the measure.
double ProcessorSeconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

absl::Status Run(int argc, char** argv) {
  if (argc < 3)
    return absl::InvalidArgumentError(
        "usage: bench-tokenizer TOKENIZER FILE [SECONDS], TOKENIZER as trainctl data tokenize takes it");
  const double budget = argc > 3 ? std::atof(argv[3]) : 3;
  ASSIGN_OR_RETURN(const tokenizer::TokenizerSpec spec, tokenizer::ParseTokenizer(argv[1]));
  const auto load_start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const auto tokenizer, tokenizer::MakeTokenizer(spec));
  const double load = Seconds(std::chrono::steady_clock::now() - load_start).count();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(argv[2]));
  const auto encoder = tokenizer->NewEncoder();
  std::vector<int32_t> ids;
  const auto rate = [&](double seconds) { return static_cast<double>(text.size()) / seconds / 1e6; };
  const double cold = ProcessorSeconds();
  RETURN_IF_ERROR(encoder->Encode(text, ids));  // fills the encoder's cache and sizes the buffer
  const double first = rate(ProcessorSeconds() - cold);
  const size_t count = ids.size();
  std::vector<double> rates;
  for (double spent = 0; spent < budget || rates.size() < 3;) {
    ids.clear();
    const double start = ProcessorSeconds();
    RETURN_IF_ERROR(encoder->Encode(text, ids));
    const double seconds = ProcessorSeconds() - start;
    rates.push_back(rate(seconds));
    spent += seconds;
  }
  std::sort(rates.begin(), rates.end());
  std::string decoded;
  RETURN_IF_ERROR(tokenizer->Decode(ids, decoded));
  const char* const back = decoded == text ? "" : "  (normalized: decoding does not give the text back)";
  printf(
      "%s  %s  %.1f MB, %zu tokens (%.2f bytes a token)  median %.1f MB/s [%.1f-%.1f] of %zu passes, "
      "the first %.1f MB/s, one thread; loaded in %.0f ms%s\n",
      argv[1], argv[2], static_cast<double>(text.size()) / 1e6, count,
      static_cast<double>(text.size()) / static_cast<double>(count), rates[rates.size() / 2], rates.front(),
      rates.back(), rates.size(), first, load * 1e3, back);
  return absl::OkStatus();
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  const absl::Status status = galley::Run(argc, argv);
  if (status.ok()) return 0;
  fprintf(stderr, "bench-tokenizer: %s\n", std::string(status.message()).c_str());
  return 1;
}
