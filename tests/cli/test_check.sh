#!/usr/bin/env bash
# A configuration with ten mistakes gives ten diagnostics with line and column, exit code 3, and leaves nothing behind.
source "$(dirname "$0")/lib.sh" "$1"

mkdir "$work/c"
cp -r configs/model configs/critic configs/game "$work/c/"
cat >"$work/c/ten.yaml" <<'Y'
version: 1
name: ten mistakes
seed: no
defaults:
  - model: cak
  - critic: audit
  - game: augan
  - _self_
data:
  clips: {type: synth, count: 12, seconds: 0.5, rate: 16000, seed: 1}
  spectrum: {type: stft, inputs: [clips], n_fft: 256, hop: 128}
  magnitude: {type: magnitude, inputs: [spectrum]}
  x: {type: normalise, inputs: [magnitude]}
  batch: {type: pair_loader, inputs: [x], batch: 5}
modules:
  critic: {chanels: [4, 8]}
  extra: {type: conv_layr, out: 1}
graph:
  gp: {criti: critic}
  a: {type: add, inputs: [fake.y]}
  b: {type: mul, inputs: [fake.x, 1]}
  c1: {type: exp, inputs: [c2]}
  c2: {type: log, inputs: [c1]}
train:
  epochs: 2.5
  phases:
    critic:
      optimizer: {lrr: 1}
Y
cd "$work"
expect 3 "" "$cak" check c/ten.yaml
n=$(grep -cE '^c/[a-z/]+\.yaml:[0-9]+:[0-9]+: error: ' "$work/err")
[ "$n" -eq 10 ] || { fail "$n diagnostics instead of 10"; cat "$work/err"; }
for text in "did you mean 'channels'?" "did you mean 'conv_layer'?" "did you mean 'critic'?" "cycle: " "did you mean 'lr'?" "E1201" "E3004" "E3002"; do
    grep -qF -- "$text" "$work/err" || fail "'$text' missing"
done
expect 3 "" "$cak" train c/ten.yaml
[ ! -e runs ] && [ ! -e cache ] || fail "something was written"

# mistakes in the data section hide none behind it: the graph is built with stand-in shapes
cat >c/eight.yaml <<'Y'
version: 1
name: synth
seed: 0
defaults:
  - model/cak
  - critic/audit
  - game/augan
  - _self_
data:
  clips:     {type: synth, count: 12, seconds: 0.5, rate: 16000, seed: 1}
  spectrum:  {type: stft, inputs: [clips], n_fft: 256, hop: 128, win: 256, window: hamm}
  magnitude: {type: magnitud, inputs: [spectrum]}
  x:         {type: normalise, inputs: [magnitude]}
  batch:     {type: pair_loader, inputs: [x], batch: five, crop_f: 32, crop_t: 32}
modules:
  critic: {channels: [4, 8, 8]}
  generator: {taau: 1}
graph:
  distance: {type: l2, inputs: [fake.y, batch.target]}
losses:
  c_loss:
    comp: {value: mean(fake_audit.violation), wieght: 2}
train:
  epochs: 3
  phases:
    critic:
      update: [detecter]
      optimizer: {learning_rate: 1e-4}
Y
errors() { # N COMMAND...: exit code 3 and exactly N errors
    local n=$1 got
    shift
    expect 3 "" "$@"
    got=$(grep -cE '^[^ ]+( [0-9]+>)?:[0-9]+:[0-9]+: error: ' "$work/err")
    [ "$got" -eq "$n" ] || { fail "$got errors instead of $n: $*"; cat "$work/err"; }
}
errors 8 "$cak" check c/eight.yaml
for text in "'hamm'" "did you mean 'magnitude'" "'five'" "did you mean 'tau'" "'l2'" "did you mean 'weight'" "did you mean 'lr'" "did you mean 'detector'"; do
    grep -qF -- "$text" "$work/err" || fail "'$text' missing"
done
errors 8 "$cak" train c/eight.yaml
[ ! -e runs ] && [ ! -e cache ] || fail "something was written"

# shapes of stand-ins say nothing
errors 1 "$cak" check "$here/configs/tiny/synth.yaml" data.magnitude.type=magnitud data.batch.crop_f=0 data.batch.crop_t=0 \
    '+graph.flat={type: reshape, inputs: [batch.input], shape: [0, 8127]}'
# a source, a loader, tensors that cannot be read: no consequences, and no silence about the rest
sed 's/type: synth,/type: synt,/' c/eight.yaml >c/source.yaml
errors 9 "$cak" check c/source.yaml
sed 's/type: pair_loader,/type: pair_loadr,/' c/eight.yaml >c/loader.yaml
errors 8 "$cak" check c/loader.yaml # the loader's attributes are not known
sed -e '/^  clips:/d; /^  spectrum:/d; /^  magnitude:/d; /^  x: /d' -e 's/^  batch: .*/  batch: {type: tensors, path: none.safetensors}/' \
    c/eight.yaml >c/tensors.yaml
errors 6 "$cak" check c/tensors.yaml

cd "$here"
errors 4 "$cak" check configs/tiny/synth.yaml modules.generator.taau=1 +train.epoch=2 train.epochs=x seed=-1
errors 1 "$cak" check configs/tiny/synth.yaml hp.lr=-1
errors 1 "$cak" check configs/tiny/synth.yaml '~losses' '+losses={}'
grep -qF "losses\` is empty" "$work/err" || fail "empty losses"
errors 1 "$cak" check configs/tiny/synth.yaml 'hp.lr=${zebra}'
errors 2 "$cak" check configs/tiny/synth.yaml 'train.phases.critic.loss=${zebra}' 'graph.recon.type=${zebra}'
expect 0 "ok" "$cak" check configs/tiny/synth.yaml
number='[0-9]+\.[0-9]'
for line in 'critic: 5 x a batch, moves 1639' 'generator: 1 x a batch, moves 11'; do
    grep -qxE "phase $line parameters; $number MiB for activations \($number without planning\)" "$work/out" || fail "no line 'phase $line ...'"
done
errors 2 "$cak" check configs/tiny/synth.yaml 'modules.detector=${zebra}' data.batch.batch=x
expect 3 "" "$cak" config configs/tiny/synth.yaml hp.lrr=1
[ -s "$work/out" ] && fail "a configuration with mistakes is printed"
expect 3 "did you mean 'hp.lr'?" "$cak" check configs/tiny/synth.yaml hp.lrr=1
expect 3 "does not depend on it" "$cak" check configs/tiny/synth.yaml 'train.phases.critic.update=[generator]'
expect 3 "E3102" "$cak" check configs/tiny/synth.yaml 'losses.g_loss.adv.value=game_audit.score'
expect 3 "E3005" "$cak" check configs/tiny/synth.yaml data.batch.crop_f=3
expect 3 "E1001" "$cak" check no-such.yaml
expect 3 "configs/game/augan.yaml:" "$cak" check configs/tiny/synth.yaml +losses.g_loss.adv.wieght=1 '~modules.generator'
grep -q '/\.\./' "$work/err" && fail "a file name that goes down and up again"
mkdir "$work/names" && printf 'version: 1\ndefaults: [../c/nosuch, _self_]\n' >"$work/names/up.yaml"
expect 3 "there is no file '$work/c/nosuch.yaml'" "$cak" check "$work/names/up.yaml"
expect 0 "version: 1" "$cak" config configs/tiny/synth.yaml
"$cak" config configs/tiny/synth.yaml >"$work/resolved.yaml"
expect 0 "ok" "$cak" check "$work/resolved.yaml"
expect 0 "digraph" "$cak" graph configs/tiny/synth.yaml --format dot
expect 0 "out g_loss = " "$cak" graph configs/tiny/synth.yaml --phase generator
# In a resolved configuration the numbers of hp have done their work: to change one there is a mistake that nothing else would show.
expect 0 "nothing refers to hp.lr: this override changes nothing" "$cak" check "$work/resolved.yaml" hp.lr=1e-3
expect 0 "" "$cak" check configs/tiny/synth.yaml hp.lr=1e-3
grep -q "nothing refers" "$work/err" && fail "hp.lr is referred to"
finish
