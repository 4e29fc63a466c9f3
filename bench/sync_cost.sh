#!/usr/bin/env bash
# bench/sync_cost.sh - what a lock or a permit costs, in weft, Go and Tokio, by turns in one run.
#
# Installs Debian's Go and Tokio if they are missing. Prints work, system, median, unit, min, max for
# each turn, then the median of the medians and weft's ratio to the best peer.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/need.sh
need cmake cmake
need ninja ninja-build
need gcc gcc
need go golang-go
need cargo cargo
need_file "/usr/share/cargo/registry/tokio-1.*" librust-tokio-dev
need_install

peers=build/peers
mkdir -p "$peers"
if ! { cmake --preset release && cmake --build --preset release --target bench_sync_cost; } \
    >"$peers/build.log" 2>&1; then
    cat "$peers/build.log" >&2
    exit 1
fi
go build -o "$peers/sync_cost_go" bench/peers/sync_cost.go
cp -r bench/peers/tokio_sync "$peers/" # cargo writes a file beside its own
cargo build --quiet --release --offline --manifest-path "$peers/tokio_sync/Cargo.toml" \
    --target-dir "$peers/tokio" \
    --config 'source.crates-io.replace-with="debian"' \
    --config 'source.debian.directory="/usr/share/cargo/registry"'

rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
for _ in 1 2 3 4 5; do
    build/release/bench/bench_sync_cost
    "$peers/sync_cost_go"
    "$peers/tokio/release/sync_cost"
done | tee "$rows"
echo
sort -t "$(printf '\t')" -k1,1 -k2,2 -k3,3n "$rows" | awk -F '\t' '
    { count[$1, $2]++; value[$1, $2, count[$1, $2]] = $3; works[$1]; peers[$2] }
    END {
        for (work in works) {
            best = 0
            for (peer in peers) {
                n = count[work, peer]
                if (n == 0)
                    continue
                middle[peer] = value[work, peer, int((n + 1) / 2)]
                line[work] = line[work] sprintf("  %s %.1f ns", peer, middle[peer])
                if (peer != "weft" && (best == 0 || middle[peer] < best))
                    best = middle[peer]
            }
            printf "%-14s%s; weft / best peer %.2f\n", work, line[work], middle["weft"] / best
        }
    }' | sort
