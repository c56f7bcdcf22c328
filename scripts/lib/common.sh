# Sourced by the scripts beside it: where things are, and how they speak.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PEERS="$ROOT/build/peers"   # Debian's chronyd and ntpd, unpacked, never installed
export ROOT PEERS
# Continuous integration checks out as one user and tests as root.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$ROOT"

say()  { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }

# Formatting of the files named by git; fails on the first difference.
check_format() {
    git -C "$ROOT" ls-files -z '*.h' '*.cc' |
        (cd "$ROOT" && xargs -0 -P"$(nproc)" -n40 clang-format --dry-run -Werror)
}

die()  { printf 'error: %s\n' "$*" >&2; exit 1; }

need_root() {
    [ "$(id -u)" = 0 ] || die "$1 needs root (network namespaces); run it with sudo"
}
