#!/usr/bin/env bash
# cak preprocess: the report, the cache, bad corpora, exit codes.
source "$(dirname "$0")/lib.sh" "$1"

config=configs/tiny/synth.yaml
expect 0 "synth: 12 clips of 0.500 s at 16000 Hz, each prepared to [1,129,63]" "$cak" preprocess $config
grep -q "0.675484  00000-sine" "$work/out" || fail "no control values"
grep -q "12 transformations of 3 different pairs; 6 clips are in no pair" "$work/out" || fail "no summary of pairs"
grep -qF "(was there)" "$work/out" && fail "a cache from nowhere"
expect 0 "(was there)" "$cak" preprocess $config
expect 0 '"distinct_pairs": 3' "$cak" preprocess $config --json
[ "$(ls "$work/cache/cak" | wc -l)" -eq 2 ] || fail "more than one cache file and its statistics"

# the number of files at a time changes no bit
expect 0 "" "$cak" preprocess $config --jobs 1 --cache "$work/one"
expect 0 "" "$cak" preprocess $config --jobs 3 --cache "$work/three"
diff -r "$work/one" "$work/three" >/dev/null || fail "--jobs changes the result"

# wrong use
expect 2 "CONFIG is missing" "$cak" preprocess
expect 2 "--jobs needs an integer" "$cak" preprocess $config --jobs 0
expect 2 "unknown progress" "$cak" preprocess $config --progress loud
expect 0 "usage: cak preprocess" "$cak" preprocess --help
expect 3 "E1001" "$cak" preprocess no-such.yaml
expect 3 "did you mean" "$cak" preprocess $config data.batch.crop_ff=3
expect 6 "E4001" "$cak" preprocess $config --cache /dev/null/x

# corpora without a usable sound
mkdir -p "$work/c/music"
sed 's/{type: synth,[^}]*}/{type: load_audio, path: music, rate: 16000, seconds: 0.5, fade_s: 0}/' $config >"$work/c/files.yaml"
cp -r configs/model configs/critic configs/game "$work/c/"
sed -i 's/\.\.\/\(model\|critic\|game\)/\1/' "$work/c/files.yaml"
files=$work/c/files.yaml
expect 4 "0 files seen" "$cak" preprocess "$files"
echo words >"$work/c/music/words.txt"
expect 4 "1 file seen, none ends in .wav .mp3 .flac" "$cak" preprocess "$files"
: >"$work/c/music/a.wav"
cp "$work/c/music/words.txt" "$work/c/music/b.wav"
expect 4 "a.wav: the file is empty [E2002]" "$cak" preprocess "$files"
grep -qF "b.wav: not a sound file of a known format, it starts with 'words" "$work/err" || fail "the second bad file is not named"
expect 4 "2 of 2 are bad" "$cak" preprocess "$files" +data.clips.on_bad_file=skip
expect 0 "ok" "$cak" check "$files"
finish
