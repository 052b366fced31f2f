#include "runtime/prepare/data_config.h"

namespace galley::prepare {
namespace {

// Megatron asks for all evaluations of a run at once, one more than fit between its ends.
int64_t ValidSamples(const Prepared& prepared) {
  const recipe::Evaluation& evaluation = prepared.spec.evaluation;
  const plan::Plan& plan = prepared.plan;
  const int64_t times = evaluation.every.unit == recipe::Unit::kSteps
                            ? plan.total_steps / evaluation.every.value
                            : plan.evaluation.Count();
  return (times + 1) * evaluation.samples;
}

bool Evaluates(const recipe::RecipeSpec& spec) {
  return spec.evaluation.every.value > 0 && spec.evaluation.samples > 0;
}

}  // namespace

std::vector<NamedSet> NamedSetsOf(const recipe::RecipeSpec& spec) {
  std::vector<NamedSet> sets;
  if (!Evaluates(spec)) return sets;
  for (const recipe::ValidSource& valid : spec.data.valid) {
    NamedSet& set = sets.emplace_back();
    set.name = valid.name;
    set.config.train = {{.path = valid.path}};
    set.config.split = {1};
    set.config.seed = spec.data.seed;
    set.config.sequence_length = spec.model.context;
    set.config.vocab = spec.model.vocab;
    if (spec.data.packing == recipe::PackingKind::kBestFit)
      set.config.order = std::string(data::kPackedVersion);
  }
  return sets;
}

data::DataConfig DataConfigOf(const Prepared& prepared) {
  const recipe::RecipeSpec& spec = prepared.spec;
  data::DataConfig config;
  for (const recipe::Source& source : spec.data.train) {
    config.train.push_back({.path = source.path, .weight = source.weight});
  }
  config.split = spec.data.split;
  config.seed = spec.data.seed;
  config.sequence_length = spec.model.context;
  config.vocab = spec.model.vocab;
  config.needs_valid = Evaluates(spec) && spec.data.split[1] > 0;
  int64_t skipped = 0;
  for (const recipe::Skip& skip : spec.data.skip) {
    config.skip.push_back({prepared.plan.batch.Samples(skip.from), prepared.plan.batch.Samples(skip.to)});
    skipped += config.skip.back().begin < prepared.plan.total_samples ? config.skip.back().size() : 0;
  }
  if (spec.data.kind == recipe::DataKind::kDummy) {
    config.order = std::string(data::kDummyVersion);
    return config;
  }
  if (spec.data.order == recipe::Order::kGalley) {
    const bool cut = spec.data.packing == recipe::PackingKind::kCut;
    config.order = std::string(cut ? data::kOrderVersion : data::kPackedVersion);
    return config;
  }
  config.order = std::string(
      spec.data.megatron.rules == recipe::MegatronRules::kCore010 ? data::kMegatron010 : data::kMegatron014);
  config.blend_one_source = spec.data.megatron.blend_one_source;
  config.run_samples = prepared.plan.total_samples + skipped;
  config.train_samples = spec.data.megatron.samples.value_or(config.run_samples);
  if (config.needs_valid) config.valid_samples = ValidSamples(prepared);
  return config;
}

bool SeparatorsDivideDocuments(const recipe::RecipeSpec& spec) {
  return spec.data.mask.borders != recipe::Borders::kIndex;
}

absl::StatusOr<data::MaskOptions> MaskOptionsOf(const recipe::RecipeSpec& spec,
                                                std::optional<int32_t> separator) {
  const recipe::Mask& mask = spec.data.mask;
  data::MaskOptions out;
  out.starts = mask.attention == recipe::Scope::kDocument || mask.positions == recipe::Scope::kDocument;
  out.eod_loss = mask.eod_loss;
  if (!SeparatorsDivideDocuments(spec)) return out;
  out.eod = separator;
  if (out.eod.has_value()) return out;
  return absl::InvalidArgumentError(
      "data.mask.borders: the tokenizer has no end-of-document token; name one with data.tokenizer.eod, or "
      "let borders be those of the .idx (index)");
}

}  // namespace galley::prepare
