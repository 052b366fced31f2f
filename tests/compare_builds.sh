#!/usr/bin/env bash
# compare_builds.sh OLD NEW [TEXT]
# Whether two builds train alike to the last bit: OLD and NEW are build folders (build/release of two checkouts). Each runs
# the golden recipes, in f32 and bf16 and on one and two ranks, and quickstart's recipe; every step's loss, gradient norm,
# learning rate and samples hash and every shard of every checkpoint must be the same bytes. Times may differ, and so may
# manifest.json, which has a version of its own. TEXT: a text to train on; without it, words drawn by a fixed rule.
# STEPS (quickstart's, 600 by default and at least 60) makes it shorter. Exit status: 0 all alike, 1 something differs.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,8p' "$0" | sed 's/^# //'; exit 2; }
source_dir=$(cd "$(dirname "$0")/.." && pwd)
old=$(cd "$1" && pwd) new=$(cd "$2" && pwd) text=${3:+$(realpath "$3")} steps=${STEPS:-600}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Words of a small set, each drawn from the last by a linear congruence: something to learn, the same everywhere.
words() {
  awk 'BEGIN {
    n = split("and the LORD said unto Moses saying in day of all earth", w, " ")
    for (i = x = 1; i <= 120000; ++i) {
      x = (x * 1103515245 + 12345) % 2147483648
      last = (last * 5 + int(x / 65536) % 4) % n
      printf "%s%s", w[last + 1], i % 17 ? " " : "\n\n"
    }
  }'
}
[ -n "$text" ] || { text=$work/text.txt; words >"$text"; }

# A run's record without what a clock or a resume puts in.
record() { sed -E 's/"(attempt|step_seconds|data_seconds|tokens_per_second|mfu|checkpoint_stall_seconds)":[^,}]*,?//g' "$1"; }

failed=0
# compare NAME RECIPE SET...
compare() {
  local name=$1 recipe=$2 side sets=() s
  shift 2
  for s in "$@" "data.train=[{path: data_text_document}]"; do sets+=(--set "$s"); done
  for side in old new; do
    mkdir -p "$side"
    cp "$recipe" "$side/recipe.yaml"
    if ! (cd "$side" && XDG_STATE_HOME=$work/$side/state "${!side}"/bin/trainctl train recipe.yaml "${sets[@]}" \
          --run-dir "$name" >"$name.log" 2>&1); then
      echo "$name: the $side build failed"; tail -n 20 "$side/$name.log"; failed=1
      return
    fi
    record "$side/$name/metrics.jsonl" >"$side/$name.series"
    (cd "$side/$name/checkpoints" && find . -name '*.safetensors' -print0 | sort -z | xargs -0r sha256sum) >"$side/$name.shards"
  done
  if ! cmp "old/$name.series" "new/$name.series"; then
    diff "old/$name.series" "new/$name.series" | head -n 4
    echo "$name: the steps differ"; failed=1
  elif ! diff "old/$name.shards" "new/$name.shards"; then
    echo "$name: the shards differ"; failed=1
  else
    echo "$name: $(wc -l <"old/$name.series") steps and $(wc -l <"old/$name.shards") shards are the same"
  fi
}

for side in old new; do
  mkdir -p "$side"
  (cd "$side" && "${!side}"/bin/trainctl data tokenize --input "$text" --tokenizer bytes --output-prefix data >/dev/null)
done
for file in data_text_document.bin data_text_document.idx; do
  cmp "old/$file" "new/$file" || { echo "$file differs"; failed=1; }
done
for family in gpt2 llama; do
  for compute in f32 bf16; do
    for ranks in 1 2; do
      compare "$family-$compute-$ranks" "$source_dir/tests/golden/$family.yaml" "precision.compute=$compute" \
        "parallelism.data=$ranks" "batch.micro=1" "exporters=[{kind: jsonl}]" "checkpoint.every=[{interval: 5 steps}]"
    done
  done
done
compare quickstart "$source_dir/recipes/quickstart.yaml" "train.until=$steps steps" "exporters=[{kind: jsonl}]"
exit $failed
