// `order: megatron` against an independent account of it in Python (reference.py): the committed cases, and
// thousands of random ones where python3 and numpy are at hand.
//
//   GALLEY_PYTHON           the interpreter (default: python3)
//   GALLEY_MEGATRON_CASES   how many random cases (default: 3000)
//   GALLEY_MEGATRON_SEED    of the random cases (default: 7)
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/base/file.h"
#include "runtime/data/megatron/blend.h"
#include "runtime/data/megatron/index.h"
#include "runtime/data/order/loader.h"
#include "runtime/data/order/megatron_order.h"
#include "runtime/data/store/indexed_dataset_writer.h"
#include "tests/support/paths.h"

namespace galley::data {
namespace {

template <class Values>
std::string Crc(const Values& values) {
  std::vector<int64_t> wide(values.begin(), values.end());
  const uLong sum =
      ::crc32(0, reinterpret_cast<const Bytef*>(wide.data()), static_cast<uInt>(wide.size() * 8));
  return absl::StrFormat("%d:%08x", wide.size(), sum);
}

class Case {
 public:
  explicit Case(const std::string& line) {
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" = ", 1));
    std::vector<std::string> words = absl::StrSplit(halves[0], ' ');
    kind_ = words[0];
    for (size_t i = 1; i < words.size(); ++i) {
      const std::vector<std::string> parts = absl::StrSplit(words[i], absl::MaxSplits('=', 1));
      values_[parts[0]] = parts[1];
    }
    results_ = halves.at(1);
  }
  const std::string& kind() const { return kind_; }
  const std::string& results() const { return results_; }
  const std::string& text(const std::string& key) const { return values_.at(key); }
  int64_t number(const std::string& key) const { return numbers(key).at(0); }
  std::vector<int64_t> numbers(const std::string& key) const {
    std::vector<int64_t> out;
    for (const auto word : absl::StrSplit(values_.at(key), ',')) {
      out.emplace_back();
      EXPECT_TRUE(absl::SimpleAtoi(word, &out.back())) << word;
    }
    return out;
  }
  std::vector<double> doubles(const std::string& key) const {
    std::vector<double> out;
    for (const auto word : absl::StrSplit(values_.at(key), ',')) {
      out.push_back(std::strtod(std::string(word).c_str(), nullptr));
    }
    return out;
  }

 private:
  std::string kind_;
  std::string results_;
  std::map<std::string, std::string> values_;
};

std::vector<int32_t> Lengths(int64_t count, uint64_t state, uint64_t modulus) {
  std::vector<int32_t> lengths;
  for (int64_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    lengths.push_back(static_cast<int32_t>((state >> 33) % modulus));
  }
  return lengths;
}

std::string Index(const Case& c) {
  const std::vector<int64_t> spec = c.numbers("lengths");
  const std::vector<int32_t> held =
      Lengths(spec[0], static_cast<uint64_t>(spec[1]), static_cast<uint64_t>(spec[2]));
  const SequenceLengths lengths(std::as_bytes(std::span(held)));
  const Range documents{c.number("begin"), c.number("end")};
  std::optional<int64_t> samples = c.number("samples");
  if (*samples < 0) samples.reset();
  const MegatronEpochs epochs =
      PlanEpochs(*SumLengths(lengths, documents), samples, c.number("length")).value();
  const MegatronIndex index = MegatronIndex::Build(lengths, documents, epochs, c.number("length"),
                                                   static_cast<uint32_t>(c.number("seed")), 1)
                                  .value();
  std::vector<int64_t> rows(static_cast<size_t>(2 * (index.samples() + 1)));
  BuildSampleIndex<int64_t>(lengths, index.document_index(), c.number("length"), 1, rows);
  return absl::StrCat(epochs.epochs, " ", epochs.separate_last ? 1 : 0, " ", Crc(index.document_index()), " ",
                      Crc(rows), " ", Crc(index.shuffle_index()));
}

std::string Splits(const Case& c) {
  const auto ranges = SplitRanges(c.doubles("shares"), c.number("n"));
  std::vector<int64_t> ends;
  for (const Range& range : *ranges) {
    ends.push_back(range.begin);
    ends.push_back(range.end);
  }
  return absl::StrJoin(ends, " ");
}

std::string Blend(const Case& c) {
  const std::vector<double> weights = c.doubles("weights");
  const BlendCounts counts =
      CountBlend(weights, c.number("samples"),
                 c.text("rules") == "0.10" ? MegatronSurplus::kCore010 : MegatronSurplus::kCore014);
  const MegatronBlend blend = MegatronBlend::Build(weights, counts.size);
  std::vector<int64_t> sources, indices;
  for (int64_t n = 0; n < blend.size(); ++n) {
    sources.push_back(blend.At(n).source);
    indices.push_back(blend.At(n).index);
  }
  return absl::StrCat(Crc(counts.asked), " ", counts.size, " ", Crc(sources), " ", Crc(indices));
}

// A plan over real files, back from its JSON, and every sample of its order.
std::string WholeOrder(const Case& c) {
  const TempDir dir;
  const std::vector<int64_t> specs = c.numbers("lengths");
  const std::vector<double> weights = c.doubles("weights");
  const Split split = c.number("valid") != 0 ? Split::kValid : Split::kTrain;
  DataConfig config;
  config.split = c.doubles("shares");
  config.seed = c.number("seed");
  config.sequence_length = c.number("length");
  config.vocab = 1 << 16;
  config.order = std::string(c.text("rules") == "0.10" ? kMegatron010 : kMegatron014);
  config.needs_valid = split == Split::kValid;
  config.blend_one_source = c.number("blend") != 0;
  (split == Split::kValid ? config.valid_samples : config.train_samples) = c.number("samples");
  std::vector<IndexedDataset> sources;
  for (int64_t s = 0; s < c.number("sources"); ++s) {
    const auto at = static_cast<size_t>(3 * s);
    const std::vector<int32_t> lengths =
        Lengths(specs[at], static_cast<uint64_t>(specs[at + 1]), static_cast<uint64_t>(specs[at + 2]));
    const std::string prefix = JoinPath(dir.path(), absl::StrCat(s));
    auto writer = IndexedDatasetWriter::Create(prefix, TokenType::kU16).value();
    const std::vector<int32_t> tokens(static_cast<size_t>(std::accumulate(lengths.begin(), lengths.end(), 0)),
                                      7);
    EXPECT_TRUE(writer->AddSequences(tokens, lengths).ok());  // sequences of no tokens stay
    EXPECT_TRUE(writer->Finish().ok());
    config.train.push_back({prefix, weights[static_cast<size_t>(s)]});
    sources.push_back(IndexedDataset::Open(prefix).value());
  }
  // A training split without tokens is an error for the plan, whatever this case looks at.
  if (split == Split::kValid) config.train_samples = 1;
  absl::StatusOr<DataPlan> built = BuildDataPlan(config);
  if (!built.ok() && absl::StrContains(built.status().message(), "the train split holds")) return c.results();
  const DataPlan plan = ParseDataPlan(ToJson(built.value())).value();
  EXPECT_EQ(Hash(plan), Hash(*built));
  const auto order = MegatronOrder::Create(plan, split, sources, 2);
  if (!order.ok()) {
    EXPECT_THAT(order.status().message(), testing::HasSubstr("more than Megatron's surplus of 0.5 % covers"));
    return "too-few";
  }
  std::vector<int64_t> words;
  SampleParts parts;
  for (int64_t sample = 0; sample < (*order)->size(); ++sample) {
    EXPECT_TRUE((*order)->Locate(sample, parts).ok());
    words.push_back(parts.source);
    const IndexedDataset& source = sources[static_cast<size_t>(parts.source)];
    for (const Range& range : parts.ranges) {
      // The sequence that holds the range's first token: the last that begins at or before it.
      int64_t low = 0, high = source.sequences();
      while (high - low > 1) {
        const int64_t middle = (low + high) / 2;
        (*source.TokenBegin(middle) <= range.begin ? low : high) = middle;
      }
      words.insert(words.end(), {low, range.begin - *source.TokenBegin(low), range.size()});
    }
  }
  EXPECT_FALSE((*order)->Locate((*order)->size(), parts).ok());
  return absl::StrCat((*order)->size(), " ", Crc(words));
}

std::string Answer(const Case& c) {
  if (c.kind() == "index") return Index(c);
  if (c.kind() == "split") return Splits(c);
  if (c.kind() == "blend") return Blend(c);
  return c.kind() == "order" ? WholeOrder(c) : "no such kind of case";
}

TEST(MegatronOrder, EqualsTheCommittedCases) {
  std::ifstream file(SourceDir() + "/tests/megatron_order/golden.txt");
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    const Case c(line);
    EXPECT_EQ(Answer(c), c.results()) << line;
  }
  EXPECT_EQ(cases, 64);
}

TEST(MegatronOrder, EqualsThousandsOfRandomCasesOfThePythonReference) {
  const auto setting = [](const char* name, const char* otherwise) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : otherwise);
  };
  const std::string python = setting("GALLEY_PYTHON", "python3");
  if (std::system((python + " -c 'import numpy' >/dev/null 2>&1").c_str()) != 0) {
    GTEST_SKIP() << python << " with numpy is not on this machine (Debian: python3-numpy)";
  }
  const std::string cases = setting("GALLEY_MEGATRON_CASES", "3000");
  const std::string command =
      absl::StrCat(python, " ", SourceDir(), "/tests/megatron_order/reference.py --cases ", cases, " --seed ",
                   setting("GALLEY_MEGATRON_SEED", "7"));
  FILE* const pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  int64_t compared = 0;
  int failed = 0;
  char* buffer = nullptr;
  size_t size = 0;
  for (ssize_t n; failed < 5 && (n = ::getline(&buffer, &size, pipe)) > 0; ++compared) {
    const std::string line(buffer, static_cast<size_t>(n - 1));
    const Case c(line);
    const std::string answer = Answer(c);
    EXPECT_EQ(answer, c.results()) << line;
    failed += answer != c.results();
  }
  std::free(buffer);
  EXPECT_EQ(::pclose(pipe) == 0 || failed > 0, true);
  EXPECT_EQ(absl::StrCat(compared), cases);
}

}  // namespace
}  // namespace galley::data
