// RecipeSpec: the typed value of a recipe. One struct a section, defaults in the member initialisers; the
// field tables of this module read, write, hash and explain it. Keys, units and meanings: docs/recipe.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/recipe/family_keys.h"
#include "runtime/tokenizer/kinds.h"

namespace galley::recipe {

// An amount of training. The plan turns each unit into the others along the batch ramp.
enum class Unit { kSteps, kSamples, kTokens };
struct Amount {
  int64_t value = 0;
  Unit unit = Unit::kSteps;
  bool operator==(const Amount&) const = default;
};

struct Metadata {
  std::string name = {};
  std::map<std::string, std::string> labels = {};
};

// family.h. Whoever reads, explains or describes recipes is told which families there are.
struct Family;
using Families = std::vector<const Family*>;

enum class Activation { kGeluTanh, kGeluErf, kSwiglu };

// What every family has, and the keys of one.
struct Model {
  const Family* family = nullptr;  // never null after loading; not owned
  int64_t layers = 0;
  int64_t hidden = 0;
  int64_t heads = 0;
  int64_t ffn = 0;
  int64_t context = 0;
  int64_t vocab = 0;  // the true vocabulary; rows of the embedding are ModelCard::padded_vocab
  Activation activation = Activation::kSwiglu;  // after loading, one of the family's
  double norm_eps = 1e-5;
  double init_std = 0.02;
  FamilyKeys keys = {};
};

enum class Compute { kF32, kBF16, kFP16, kFP8 };
struct LossScale {
  double initial = 4294967296.0;
  int64_t window = 1000;
  int64_t hysteresis = 2;
  double min = 1;
};
struct Precision {
  Compute compute = Compute::kBF16;
  std::optional<LossScale> loss_scale = {};  // fp16 only
};

using Tokenizer = tokenizer::TokenizerSpec;
struct Source {
  std::string path = {};  // prefix of .bin and .idx; absolute
  double weight = 1.0;
};
struct ValidSource {
  std::string name = {};
  std::string path = {};  // prefix of .bin and .idx; absolute
};
enum class DataKind { kFiles, kDummy };
enum class Order { kGalley, kMegatron };
enum class PackingKind { kCut, kBestFit };
struct Skip {
  Amount from = {};
  Amount to = {};
};
enum class MegatronRules { kCore014, kCore010 };
struct Megatron {
  MegatronRules rules = MegatronRules::kCore014;
  bool blend_one_source = false;
  std::optional<int64_t> samples = {};  // default: those of the run
  std::string cache = {};
};
enum class Scope { kSample, kDocument };
enum class Borders { kIndex, kEod };
struct Mask {
  Scope attention = Scope::kSample;
  Scope positions = Scope::kSample;
  bool eod_loss = true;
  Borders borders = Borders::kIndex;
};
struct Data {
  Tokenizer tokenizer = {};
  DataKind kind = DataKind::kFiles;
  std::vector<Source> train = {};       // kind: files
  std::vector<ValidSource> valid = {};  // beside the split's
  std::vector<double> split = {969, 30, 1};
  Order order = Order::kGalley;
  Megatron megatron = {};                   // order: megatron
  PackingKind packing = PackingKind::kCut;  // order: galley
  int64_t pad = 0;                          // packing: best_fit
  int64_t seed = 1234;
  std::vector<Skip> skip = {};
  Mask mask = {};
};

// Sets that each evaluation reads: the split's validation part, where there is one, and those with a name.
inline int64_t ValidationSets(const Data& data) {
  return (data.split[1] > 0 ? 1 : 0) + static_cast<int64_t>(data.valid.size());
}

struct Rampup {
  int64_t start = 0;
  int64_t increment = 0;
  Amount over = {};
};
struct Batch {
  int64_t micro = 1;
  int64_t global = 1;
  std::optional<Rampup> rampup = {};
};

struct Train {
  Amount until = {};
  int64_t seed = 1234;
};

enum class OptimizerKind { kAdamW };
struct Optimizer {
  OptimizerKind kind = OptimizerKind::kAdamW;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 1.0;  // 0: no clipping
};

enum class Decay { kConstant, kLinear, kCosine, kInverseSquareRoot, kWsd };
enum class WsdShape { kLinear, kCosine, kExponential, kMinusSqrt };
struct LearningRate {
  double peak = 0;
  double min = 0;
  double init = 0;
  Amount warmup = {};
  Decay decay = Decay::kCosine;
  std::optional<Amount> decay_until = {};  // default: train.until
  std::optional<Amount> wsd_decay = {};    // wsd: length of the final decay
  WsdShape wsd_shape = WsdShape::kLinear;
};
struct Schedule {
  LearningRate lr = {};
};

struct Parallelism {
  int64_t data = 1;
  int64_t tensor = 1;
  int64_t pipeline = 1;
};

enum class RecomputeMode { kNone, kFull, kSelective };
struct Recompute {
  RecomputeMode mode = RecomputeMode::kNone;
};

struct CheckpointPhase {
  std::optional<Amount> until = {};  // absent: to the end; only the last phase may lack it
  Amount interval = {};
};
struct Keep {
  std::optional<int64_t> last = {};  // absent: all
  std::optional<Amount> every = {};  // also keep multiples of this
};
struct Checkpoint {
  std::string directory = {};  // absolute; empty: the run directory's checkpoints/
  std::vector<CheckpointPhase> every = {};
  Keep keep = {};
};

struct Evaluation {
  Amount every = {};  // value 0: never
  int64_t samples = 0;
};

struct Limits {
  std::optional<int64_t> exit_duration_seconds = {};
  int64_t grace_seconds = 300;  // time a stop waits for the last save
  int64_t hang_seconds = 300;   // the least that the hang watchdog waits
  int64_t max_failures = 3;     // failures without progress before HELD
};

enum class LauncherKind { kLocal, kSlurm };
struct Slurm {
  std::string partition, account, qos = {};
  std::optional<int64_t> time_seconds = {};  // of one job
  int64_t chain = 1;                         // jobs, each after the one before
};
struct Launcher {
  LauncherKind kind = LauncherKind::kLocal;
  int64_t nodes = 1;
  int64_t ranks_per_node = 0;    // 0 in the text: all ranks on one node (local); never 0 after loading
  int64_t threads_per_rank = 0;  // 0: cores of the node divided by its ranks
  std::optional<Slurm> slurm = {};
};

enum class ExporterKind { kPrometheus, kJsonl };
struct Exporter {
  ExporterKind kind = ExporterKind::kJsonl;
  std::string listen = "127.0.0.1:9464";  // prometheus
};

struct RecipeSpec {
  Metadata metadata = {};
  Model model = {};
  Precision precision = {};
  Data data = {};
  Batch batch = {};
  Train train = {};
  Optimizer optimizer = {};
  Schedule schedule = {};
  Parallelism parallelism = {};
  Recompute recompute = {};
  Checkpoint checkpoint = {};
  Evaluation evaluation = {};
  Limits limits = {};
  Launcher launcher = {};
  std::vector<Exporter> exporters = {};
};

}  // namespace galley::recipe
