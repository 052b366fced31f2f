#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "runtime/recipe/tables.h"
#include "runtime/tokenizer/kinds.h"

namespace galley::recipe {
namespace {

using TokenizerKinds = std::vector<tokenizer::TokenizerKind>;

TokenizerKinds KindsWith(tokenizer::KindFiles files) {
  TokenizerKinds kinds;
  for (const tokenizer::KindInfo& info : tokenizer::Kinds()) {
    if (info.files == files) kinds.push_back(info.kind);
  }
  return kinds;
}

Codec<tokenizer::TokenizerKind> TokenizerKindCodec() {
  std::vector<std::pair<std::string, tokenizer::TokenizerKind>> choices;
  for (const tokenizer::KindInfo& info : tokenizer::Kinds()) choices.emplace_back(info.name, info.kind);
  return ChoiceCodec<tokenizer::TokenizerKind>(std::move(choices));
}

std::string TokenizerKindDoc() {
  std::string doc;
  for (const tokenizer::KindInfo& info : tokenizer::Kinds()) {
    absl::StrAppend(&doc, doc.empty() ? "" : " ", info.name, ": ", info.meaning, ".");
  }
  return doc;
}

Table MakeTokenizer() {
  Table table;
  Declare<Tokenizer> d(table);
  using Kind = tokenizer::TokenizerKind;
  const TokenizerKinds of_a_file = KindsWith(tokenizer::KindFiles::kFile);
  TokenizerKinds with_tokens = of_a_file;
  with_tokens.push_back(Kind::kGpt2);
  const std::string file_kinds = tokenizer::NamesOfKinds(tokenizer::KindFiles::kFile);
  const std::string token_kinds = absl::StrCat("gpt2, ", file_kinds);
  d.Leaf("kind", &Tokenizer::kind, TokenizerKindCodec(), TokenizerKindDoc()).Required().Fixed();
  d.Leaf("vocab", &Tokenizer::vocab, PathCodec(), "vocab.json of the BPE.")
      .Required()
      .OnlyFor(&Tokenizer::kind, {Kind::kGpt2}, "kind", "gpt2");
  d.Leaf("merges", &Tokenizer::merges, PathCodec(), "merges.txt of the BPE.")
      .Required()
      .OnlyFor(&Tokenizer::kind, {Kind::kGpt2}, "kind", "gpt2");
  d.Leaf("file", &Tokenizer::file, PathCodec(), "The tokenizer's file.")
      .Required()
      .OnlyFor(&Tokenizer::kind, of_a_file, "kind", file_kinds);
  d.Leaf("pattern", &Tokenizer::pattern, StringCodec(),
         "How texts are split into pieces: gpt2, cl100k, llama3, o200k, tekken or a regular expression. "
         "Published "
         "files are known by their checksum.")
      .Default("known by the file")
      .OnlyFor(&Tokenizer::kind, {Kind::kTiktoken}, "kind", "tiktoken");
  d.Leaf("lowercase", &Tokenizer::lowercase, BoolCodec(),
         "The vocabulary is of lower-case words without accents.")
      .OnlyFor(&Tokenizer::kind, {Kind::kWordPiece}, "kind", "wordpiece");
  d.Leaf("eod", &Tokenizer::eod, StringCodec(), "The token that ends documents.")
      .Default("the tokenizer's own")
      .OnlyFor(&Tokenizer::kind, with_tokens, "kind", token_kinds);
  d.Leaf("add_special_tokens", &Tokenizer::add_special_tokens, BoolCodec(),
         "The data have around every document what the tokenizer's own template puts there, such as BOS; "
         "generation begins prompts so.")
      .OnlyFor(&Tokenizer::kind, with_tokens, "kind", token_kinds);
  d.Leaf("special_tokens_in_text", &Tokenizer::special_tokens_in_text, BoolCodec(),
         "Special tokens written in a prompt become their ids, not text.")
      .OnlyFor(&Tokenizer::kind, with_tokens, "kind", token_kinds);
  return table;
}

Table MakeSource() {
  Table table;
  Declare<Source> d(table);
  d.Leaf("path", &Source::path, PathCodec(), "Token file: the path of its .bin and .idx without the ending.")
      .Required()
      .Warn();
  d.Leaf("weight", &Source::weight, NumberCodec(),
         "Its share of the samples, against the sum of all weights.")
      .Positive()
      .Fixed();
  return table;
}

bool IsName(const std::string& name) {
  const auto word = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); };
  return !name.empty() && name.size() <= 63 && word(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return word(c) || c == '.' || c == '_' || c == '-'; });
}
constexpr char kNameBound[] = "1 to 63 letters, digits, '.', '_' or '-', the first a letter or digit";

Table MakeValidSource() {
  Table table;
  Declare<ValidSource> d(table);
  d.Leaf("name", &ValidSource::name, StringCodec(), "Its name in metrics.")
      .Required()
      .Bound(kNameBound, IsName);
  d.Leaf("path", &ValidSource::path, PathCodec(), "Token file, all of it for validation.").Required();
  return table;
}

Table MakeSkip() {
  Table table;
  Declare<Skip> d(table);
  NotNegative(d.Leaf("from", &Skip::from, AmountCodec(), "Begin of the stretch.").Required());
  AboveNone(d.Leaf("to", &Skip::to, AmountCodec(), "Its end; what this step would see is read.").Required());
  return table;
}

Table MakeMegatron() {
  Table table;
  Declare<Megatron> d(table);
  d.Leaf("rules", &Megatron::rules,
         ChoiceCodec<MegatronRules>(
             {{"core-0.14", MegatronRules::kCore014}, {"core-0.10", MegatronRules::kCore010}}),
         "Release whose blend is followed: how many samples it asks of each source. "
         "core-0.10: also older ones.")
      .Fixed();
  d.Leaf("blend_one_source", &Megatron::blend_one_source, BoolCodec(),
         "With one source: as Megatron reads a single path that has a weight.")
      .Fixed();
  d.Leaf("samples", &Megatron::samples, IntegerCodec(),
         "Samples asked for, which decide how often each source is read, and with that the order.")
      .AtLeast(1)
      .AtMost(kMostAmount)
      .Default("those of the run");
  d.Leaf("cache", &Megatron::cache, PathCodec(),
         "Folder of Megatron's cached indices. Those found there are compared with the run's at its start.")
      .Default("none");
  return table;
}

Table MakeMask() {
  const auto scope = ChoiceCodec<Scope>({{"sample", Scope::kSample}, {"document", Scope::kDocument}});
  Table table;
  Declare<Mask> d(table);
  d.Leaf("attention", &Mask::attention, scope,
         "How far back a token sees: to the beginning of its sample, or of its document.")
      .Warn();
  d.Leaf("positions", &Mask::positions, scope,
         "Where positions begin at 0: with each sample, or with each document.")
      .Warn();
  d.Leaf("eod_loss", &Mask::eod_loss, BoolCodec(),
         "Whether the token that follows an end-of-document token is predicted and counts.")
      .Warn();
  d.Leaf("borders", &Mask::borders,
         ChoiceCodec<Borders>({{"index", Borders::kIndex}, {"eod", Borders::kEod}}),
         "What ends a document: the .idx file says so, or the end-of-document token, as in Megatron.")
      .Warn();
  return table;
}

bool SoundSplit(const std::vector<double>& split) {
  return split.size() == 3 && split[0] > 0 &&
         std::all_of(split.begin(), split.end(), [](double v) { return v >= 0; });
}

}  // namespace

const Table& MetadataTable() {
  static const Table table = MakeTable([](Table& t) {
    Declare<Metadata> d(t);
    d.Leaf("name", &Metadata::name, StringCodec(), "Name of the run; its run directory begins with it.")
        .Required()
        .Bound(kNameBound, IsName);
    d.Leaf("labels", &Metadata::labels, LabelsCodec(), "Free words about the run, for people and lists.")
        .Default("none");
  });
  return table;
}

const Table& DataTable() {
  static const Table tokenizer = MakeTokenizer();
  static const Table source = MakeSource();
  static const Table megatron = MakeMegatron();
  static const Table mask = MakeMask();
  static const Table valid = MakeValidSource();
  static const Table skip = MakeSkip();
  static const Table table = MakeTable([](Table& t) {
    Declare<Data> d(t);
    d.Section("tokenizer", &Data::tokenizer, tokenizer, "What made the tokens, and what generation uses.")
        .Required();
    d.Leaf("kind", &Data::kind,
           ChoiceCodec<DataKind>({{"files", DataKind::kFiles}, {"dummy", DataKind::kDummy}}),
           "files: token files. dummy: random ids, for benchmarks.")
        .Fixed();
    d.List("train", &Data::train, source, "Token files that samples are drawn from.")
        .Required()
        .OnlyFor(&Data::kind, {DataKind::kFiles}, "kind", "files");
    d.List("valid", &Data::valid, valid,
           "Named sets that every evaluation reads beside the validation share of the training files.")
        .Default("none");
    d.Leaf("split", &Data::split, NumbersCodec(),
           "Shares of each file's documents for training, validation and test.")
        .Bound("three numbers, none negative, the first above 0", SoundSplit)
        .Fixed();
    d.Leaf("order", &Data::order,
           ChoiceCodec<Order>({{"galley", Order::kGalley}, {"megatron", Order::kMegatron}}),
           "How samples are cut and shuffled.")
        .Fixed();
    d.Section("megatron", &Data::megatron, megatron, "Which of Megatron's orders.")
        .OnlyFor(&Data::order, {Order::kMegatron}, "order", "megatron");
    d.Leaf(
         "packing", &Data::packing,
         ChoiceCodec<PackingKind>({{"cut", PackingKind::kCut}, {"best_fit", PackingKind::kBestFit}}),
         "cut: samples are windows of the stream of documents. best_fit: documents lie whole in samples, and "
         "the rest is padding.")
        .Fixed()
        .OnlyFor(&Data::order, {Order::kGalley}, "order", "galley");
    d.Leaf("pad", &Data::pad, IntegerCodec(),
           "Id of padding, which no document needs: positions are padding by where they are, "
           "never by their id.")
        .AtLeast(0)
        .Warn()
        .OnlyFor(&Data::packing, {PackingKind::kBestFit}, "packing", "best_fit");
    d.Leaf("seed", &Data::seed, IntegerCodec(), "Of the sample order.").AtLeast(0).Fixed();
    d.List("skip", &Data::skip, skip,
           "Stretches of the data that are left out: what these steps would have seen, the stretches before "
           "left out.")
        .Default("none");
    d.Section("mask", &Data::mask, mask, "What documents that share a sample see of each other.")
        .Default("none");
  });
  return table;
}

const Table& BatchTable() {
  static const Table rampup = MakeTable([](Table& t) {
    Declare<Rampup> d(t);
    d.Leaf("start", &Rampup::start, IntegerCodec(), "Global batch of the first step.")
        .Required()
        .AtLeast(1)
        .Unit("samples")
        .Warn();
    d.Leaf("increment", &Rampup::increment, IntegerCodec(), "What each stage adds.")
        .Required()
        .AtLeast(1)
        .Unit("samples")
        .Warn();
    AboveNone(
        d.Leaf("over", &Rampup::over, AmountCodec(), "Length of the ramp; each stage lasts as many samples."))
        .Required()
        .Warn();
  });
  static const Table table = MakeTable([](Table& t) {
    Declare<Batch> d(t);
    d.Leaf("micro", &Batch::micro, IntegerCodec(), "Samples of one forward and backward pass on one rank.")
        .AtLeast(1)
        .AtMost(1'000'000)
        .Unit("samples");
    d.Leaf("global", &Batch::global, IntegerCodec(), "Samples of one step, all ranks together.")
        .Required()
        .AtLeast(1)
        .AtMost(1'000'000)
        .Unit("samples")
        .Warn();
    d.Section("rampup", &Batch::rampup, rampup, "Small batches first.").Default("no ramp");
  });
  return table;
}

const Table& TrainTable() {
  static const Table table = MakeTable([](Table& t) {
    Declare<Train> d(t);
    AboveNone(d.Leaf("until", &Train::until, AmountCodec(),
                     "End of the run. Samples and tokens: as many whole steps as fit."))
        .Required();
    d.Leaf("seed", &Train::seed, IntegerCodec(), "Of the initial weights.").AtLeast(0).Fixed();
  });
  return table;
}

}  // namespace galley::recipe
