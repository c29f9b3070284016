#!/usr/bin/env bash
# Record what lies in project/ beside this script. Start it in an empty folder that holds only train.csv, val.csv,
# test.csv and texts.csv, with the code to record from on PYTHONPATH. README.md says which code that was.
set -euo pipefail
export OMP_NUM_THREADS=1
mhc() { python -m mhc.cli.main "$@"; }

common=(data=files data.train=train.csv data.val=val.csv data.test=test.csv
  trainer=cpu trainer.precision=32-true auto_archive=false)
linear=(model=linear model.tokenizer.vocab_size=512 model.tokenizer.subwords=0 model.epochs=8)
encoder=(model=micro model.network.width=8 model.tokenizer.vocab_size=300 model.tokenizer.max_tokens=24
  model.optimizer.lr=0.02 model.batch_tokens=512 model.patience=20)

# Two completed runs.
python -m mhc.train "${common[@]}" "${linear[@]}" name=bag seed=1
python -m mhc.train "${common[@]}" "${encoder[@]}" model.epochs=40 name=encoder seed=1

# An encoder that SIGTERM interrupts once it has a checkpoint.
python -m mhc.train "${common[@]}" "${encoder[@]}" model.epochs=20 name=interrupted seed=2 &
until compgen -G "outputs/interrupted_*/checkpoints/last.ckpt" >/dev/null; do sleep 0.02; done
kill -TERM $!
wait $! || test $? = 143

# A sweep of three jobs: one completes, SIGTERM ends the second, the third never begins.
python -m mhc.train --multirun "${common[@]}" "${linear[@]}" name=seeds seed=1,2,3 &
until test "$(compgen -G "outputs/seeds_*/*/run.json" | wc -l)" = 2; do sleep 0.02; done
kill -TERM $!
wait $! || test $? = 143
# The second job fails when it is resumed without its data.
mv val.csv away.csv
python -m mhc.train resume_sweep="$(basename outputs/seeds_*)" || test $? = 1
mv away.csv val.csv

# A refusal, two promotions, a rollback.
mhc promote bag --by ada --reason "it passes every gate"
mhc promote encoder --by ada --reason "to see whether it passes" || test $? = 1
mhc promote encoder --by ada --reason "recorded for the tests" --force
mhc rollback --by ada --reason "to be the champion no longer"

# What the code said of the same texts.
for name in bag encoder; do
  python -m mhc.predict run=$name input=texts.csv output=run_$name.csv precision=fp32 device=cpu
  python -m mhc.predict bundle=${name}_v1 input=texts.csv output=bundle_$name.csv precision=fp32 device=cpu
done
python - <<'END'
import csv, json, pathlib
said = {}
for path in sorted(pathlib.Path().glob("*_*.csv")):
    rows = list(csv.DictReader(path.open(newline="")))
    names = [name for name in rows[0] if name.startswith("probability_")]
    said[path.stem.replace("_", " ")] = {
        "labels": [row["label"] for row in rows],
        "probabilities": [[round(float(row[name]), 6) for name in names] for row in rows],
    }
    path.unlink()
pathlib.Path("expected.json").write_text(json.dumps(said).replace('], "', '],\n  "').replace('}, "', '},\n"') + "\n")
END

# Not kept: event files, copies of weights that nothing reads, locks, signs of life, the index, the cache.
find outputs -name "events.out.tfevents.*" -delete
find outputs/bag_* outputs/encoder_* outputs/seeds_* -name last.ckpt -delete
find . -name "*.lock" -delete
find outputs -name heartbeat -delete
rm -r outputs/.index.sqlite* .cache
