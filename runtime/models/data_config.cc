#include "runtime/models/data_config.h"

namespace galley::models {
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

}  // namespace

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
  config.needs_valid = spec.evaluation.every.value > 0 && spec.evaluation.samples > 0;
  if (spec.data.order == recipe::Order::kGalley) return config;
  config.order = std::string(
      spec.data.megatron.rules == recipe::MegatronRules::kCore010 ? data::kMegatron010 : data::kMegatron014);
  config.blend_one_source = spec.data.megatron.blend_one_source;
  config.run_samples = prepared.plan.total_samples;
  config.train_samples = spec.data.megatron.samples.value_or(config.run_samples);
  if (config.needs_valid) config.valid_samples = ValidSamples(prepared);
  return config;
}

}  // namespace galley::models
