// The sections' tables, one function each; recipe_table.cc joins them.
#pragma once

#include "runtime/recipe/family.h"
#include "runtime/recipe/leaf.h"
#include "runtime/recipe/table.h"

namespace galley::recipe {

const Table& MetadataTable();
Table ModelTable(const Families& families);
std::string ActivationNames(const std::vector<Activation>& activations);  // "gelu_tanh or gelu_erf"
const Table& PrecisionTable();
const Table& DataTable();
const Table& BatchTable();
const Table& TrainTable();
const Table& OptimizerTable();
const Table& ScheduleTable();
const Table& ParallelismTable();
const Table& RecomputeTable();
const Table& CheckpointTable();
const Table& EvaluationTable();
const Table& LimitsTable();
const Table& LauncherTable();
const Table& ExporterTable();  // of one entry

// Sums of samples and tokens stay well inside 64 bits with these.
inline constexpr int64_t kMostAmount = 1'000'000'000'000'000;
inline constexpr int64_t kMostSeconds = 366LL * 86400 * 10;

inline LeafField<Amount>& AboveNone(LeafField<Amount>& field) {
  return field.Bound("above 0 and at most 1e15",
                     [](const Amount& a) { return a.value > 0 && a.value <= kMostAmount; });
}
inline LeafField<Amount>& NotNegative(LeafField<Amount>& field) {
  return field.Bound("from 0 to 1e15",
                     [](const Amount& a) { return a.value >= 0 && a.value <= kMostAmount; });
}

// Builds a table once: static const Table table = MakeTable([](Table& t) { ... });
template <class F>
Table MakeTable(F fill) {
  Table table;
  fill(table);
  return table;
}

}  // namespace galley::recipe
