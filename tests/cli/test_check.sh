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

cd "$here"
expect 0 "ok" "$cak" check configs/tiny/synth.yaml
expect 3 "did you mean 'hp.lr'?" "$cak" check configs/tiny/synth.yaml hp.lrr=1
expect 3 "does not depend on it" "$cak" check configs/tiny/synth.yaml 'train.phases.critic.update=[generator]'
expect 3 "E3102" "$cak" check configs/tiny/synth.yaml 'losses.g_loss.adv.value=game_audit.score'
expect 3 "E3005" "$cak" check configs/tiny/synth.yaml data.batch.crop_f=3
expect 3 "E1001" "$cak" check no-such.yaml
expect 0 "version: 1" "$cak" config configs/tiny/synth.yaml
"$cak" config configs/tiny/synth.yaml >"$work/resolved.yaml"
expect 0 "ok" "$cak" check "$work/resolved.yaml"
expect 0 "digraph" "$cak" graph configs/tiny/synth.yaml --format dot
expect 0 "out g_loss = " "$cak" graph configs/tiny/synth.yaml --phase generator
finish
