#include "runtime/recipe/recipe_table.h"

#include "runtime/recipe/tables.h"

namespace galley::recipe {
namespace {

// apiVersion and kind: read, checked, and the same in every recipe.
class ConstantField : public Field {
 public:
  ConstantField(std::string name, std::string value, std::string doc)
      : Field(std::move(name), std::move(doc)), value_(std::move(value)) {
    required = true;
    resume = Resume::kFixed;
  }
  void Read(const NodePtr& value, const std::string& path, Checker& checker, void*) const override {
    ReadChoice(*value, path, checker, {value_});
  }
  NodePtr Write(const void*, const std::string&) const override { return ScalarNode(value_); }
  void Describe(FieldDoc& out) const override {
    out.type = out.json_type = "choice";
    out.choices = {value_};
  }

 private:
  const std::string value_;
};

Table MakeRecipe(const Table& model) {
  Table table;
  using R = RecipeSpec;
  table.Add(std::make_unique<ConstantField>("apiVersion", "galley/v1", "Version of these keys."));
  table.Add(std::make_unique<ConstantField>("kind", "Recipe", "What the file is."));
  Declare<R> d(table);
  d.Section("metadata", &R::metadata, MetadataTable(), "The run's name.").Required();
  d.Section("model", &R::model, model, "The network.").Required();
  d.Section("precision", &R::precision, PrecisionTable(), "Number formats.");
  d.Section("data", &R::data, DataTable(), "What is learned.").Required();
  d.Section("batch", &R::batch, BatchTable(), "Samples of a step.").Required();
  d.Section("train", &R::train, TrainTable(), "Length of the run.").Required();
  d.Section("optimizer", &R::optimizer, OptimizerTable(), "How weights move.");
  d.Section("schedule", &R::schedule, ScheduleTable(), "What changes along the run.").Required();
  d.Section("parallelism", &R::parallelism, ParallelismTable(),
            "How ranks share the work; their product is the world.");
  d.Section("recompute", &R::recompute, RecomputeTable(), "Memory against time.");
  d.Section("checkpoint", &R::checkpoint, CheckpointTable(), "When state is saved, and what stays.");
  d.Section("evaluation", &R::evaluation, EvaluationTable(), "Validation loss along the run.");
  d.Section("limits", &R::limits, LimitsTable(), "Time limits and failures.");
  d.Section("launcher", &R::launcher, LauncherTable(), "Which machines run it.");
  d.List("exporters", &R::exporters, ExporterTable(), "Where metrics go.").Default("none");
  return table;
}

}  // namespace

RecipeTable::RecipeTable(const Families& families)
    : model_(ModelTable(families)), recipe_(MakeRecipe(model_)) {}

RecipeTable::RecipeTable(const RecipeSpec& spec)
    : RecipeTable(spec.model.family == nullptr ? Families{} : Families{spec.model.family}) {}

}  // namespace galley::recipe
